//! The loop: everything that happens wakes it, and the synchronous [`Daemon`] decides.

use std::iter;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use registry::{Event, Policy, Registry};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep_until, timeout};
use tracing::{error, info, warn};
use wire::netlink::{Event as KernelEvent, Monitor, Topics};
use wire::node::MachineId;
use wire::paths::{run_dir, state_dir};

use crate::addresses::AddressManager;
use crate::config::Config;
use crate::daemon::Daemon;
use crate::error::Error;
use crate::firewall::FirewallMonitor;
use crate::membership::forget_task::ForgetTask;
use crate::membership::{Membership, Outcome};
use crate::status::health::Timings;
use crate::status::query;
use crate::{http, lock, thread};

/// As many events of the registry are taken in at once.
const MOST_EVENTS: usize = 1_000;

/// How long a stop waits for etcd to take note of it.
const FAREWELL: Duration = Duration::from_secs(3);

/// Runs until a signal.
pub(crate) async fn run(config: Config) -> Result<(), Error> {
    let _lock = lock::acquire(Path::new(lock::PATH))?;
    // Subscribed first: what changes while all is read is heard of.
    let mut monitor = subscribe()?;
    let mut watch = FirewallMonitor::open();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;

    let conf = config.conflist.ipam().clone();
    let folder = state_dir(&conf.network);
    let policy = Policy {
        lease_ttl: config.presence_ttl,
        ..Policy::daemon()
    };
    let registry = Arc::new(Registry::open_with(&conf, &folder, policy)?);
    let machine = MachineId::read().map_err(Error::Machine)?;
    let (wishes, to_fulfil) = watch::channel(None);
    let (asker, mut questions) = query::channel();
    let timings = Timings::new();
    let sources = http::PageSources {
        asker,
        timings: timings.clone(),
        conf: conf.clone(),
        listen: config.listen,
    };
    let mut daemon = Daemon::begin(config, machine.clone(), &folder, wishes, timings)?;
    if let Err(why) = http::start(sources) {
        error!("cannot serve HTTP: {why}; routes are kept all the same");
    }
    daemon.run_due(Instant::now());

    let mut events = registry.watch();
    let (told, mut news) = mpsc::channel(8);
    let (grown, mut growth) = mpsc::channel(8);
    let (node, ledger) = (daemon.node().clone(), run_dir(&conf.network));
    let steward = AddressManager::new(conf.clone(), node, machine.clone(), folder.clone(), ledger);
    thread::run("steward", move || steward.run(grown))?;
    let (interruptions, interrupted) = watch::channel(0);
    ForgetTask::start(&conf, daemon.node(), &registry, interrupted);
    let member = Membership::new(
        conf,
        folder,
        policy,
        daemon.node().clone(),
        machine,
        registry,
    );
    let member = tokio::spawn(member.run(to_fulfil, told));

    let signal = loop {
        let mut wake = pin!(sleep_until(daemon.wake_at().into()));
        tokio::select! {
            _ = terminate.recv() => break "SIGTERM",
            _ = interrupt.recv() => break "SIGINT",
            event = events.recv() => {
                let first = event.ok_or(Error::Ended("following the registry"))?;
                run_until_signal(&mut daemon, first, &mut events, &interruptions);
            }
            outcome = news.recv() => match outcome {
                Some(Outcome::Joined(owned)) => daemon.joined(owned),
                Some(Outcome::Lost(left)) => daemon.lost(&left),
                Some(Outcome::Delayed(why)) => daemon.delayed(why),
                Some(Outcome::Presence(state)) => daemon.presence(state),
                Some(Outcome::Hopeless(error)) => return Err(Error::Hopeless(Box::new(error))),
                None => return Err(Error::Ended("joining the network")),
            },
            owned = growth.recv() => {
                daemon.set_owned(&owned.ok_or(Error::Ended("looking after the addresses"))?);
            }
            ready = monitor.readable_mut() => {
                let mut ready = ready?;
                let inner = ready.get_inner_mut();
                daemon.hide_from(inner);
                let heard = inner.drain(|event| daemon.kernel_changed(event));
                ready.clear_ready();
                if let Err(why) = heard {
                    warn!("lost the kernel's events, subscribing anew: {why}");
                    monitor = subscribe()?;
                    daemon.kernel_changed(KernelEvent::Lost);
                }
            }
            Some(ask) = questions.recv() => daemon.answer(ask),
            ready = watch.changed() => {
                ready?;
                watch.drain(daemon.firewall());
            }
            () = &mut wake => {}
        }
        daemon.run_due(Instant::now());
    };

    info!("stopping on {signal}: routes, conflist and claims stay as they are");
    drop((daemon, news));
    // Whoever asks now is told that nobody is there. The next daemon makes it anew.
    let _ = std::fs::remove_file(http::SOCKET);
    if timeout(FAREWELL, member).await.is_err() {
        let seconds = policy.lease_ttl.as_secs();
        warn!("etcd did not take note in time; this node counts as present for {seconds} s more");
    }
    Ok(())
}

/// Lets the daemon hear `first` and what else has happened in the registry.
fn run_until_signal(
    daemon: &mut Daemon,
    first: Event,
    events: &mut mpsc::Receiver<Event>,
    interruptions: &watch::Sender<u64>,
) {
    let more = iter::from_fn(|| events.try_recv().ok()).take(MOST_EVENTS);
    for event in iter::once(first).chain(more) {
        if !matches!(event, Event::Changes { .. }) {
            interruptions.send_modify(|count| *count += 1);
        }
        daemon.handle(event);
    }
}

/// The kernel's events from here on.
#[allow(
    deprecated,
    reason = "its successor is unsafe, for types that give their descriptor away; Monitor does not"
)]
fn subscribe() -> Result<AsyncFd<Monitor>, Error> {
    let monitor = Monitor::open(Topics::ALL)?;
    Ok(AsyncFd::with_interest(monitor, Interest::READABLE)?)
}
