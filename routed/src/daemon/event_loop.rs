//! The event loop of `routed run`: waits for events of the registry, the kernel, the other tasks
//! and signals, and hands each to the synchronous [`Daemon`], which decides.

use std::iter;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use registry::{Policy, Registry, RegistryEvent};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{sleep_until, timeout};
use tracing::{error, info, warn};
use wire::netlink::{NetlinkEvent as KernelEvent, NetlinkMonitor, Topics};
use wire::node::{MachineId, NodeName};
use wire::paths::{run_dir, state_dir};

use crate::addresses::{AddressEvent, AddressManager};
use crate::config::Config;
use crate::daemon::Daemon;
use crate::error::Error;
use crate::firewall::FirewallMonitor;
use crate::host::cni_watch::CniWatch;
use crate::membership::forget_task::ForgetTask;
use crate::membership::{Membership, MembershipOutcome};
use crate::status::health::Timings;
use crate::status::query;
use crate::timeouts::SHUTDOWN_TIMEOUT;
use crate::{http, lock, thread};

/// At most this many events of the registry are handled between two passes.
const MAX_EVENTS: usize = 1_000;

/// Runs until SIGTERM or SIGINT.
pub(crate) async fn run(config: Config) -> Result<(), Error> {
    let _lock = lock::acquire(Path::new(lock::PATH))?;
    // Subscribed before the tables are read, so that no change is missed.
    let mut monitor = subscribe()?;
    let mut firewall_monitor = FirewallMonitor::open();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;

    let conf = config.conflist.ipam().clone();
    let folder = state_dir(&conf.network);
    let policy = Policy {
        lease_ttl: config.presence_ttl,
        ..Policy::daemon()
    };
    let registry = Arc::new(Registry::open_on_node(&conf, &folder, policy)?);
    let machine = MachineId::read().map_err(Error::Machine)?;
    let (requests, pending_requests) = watch::channel(None);
    let (query_client, mut queries) = query::channel();
    let timings = Timings::new();
    let sources = http::PageSources {
        query_client,
        timings: timings.clone(),
        conf: conf.clone(),
        listen: config.listen,
    };
    let mut cni_watch = CniWatch::start(&config);
    let own = registry.own_record(machine.as_str());
    let mut daemon = Daemon::start(config, own, &folder, requests, timings)?;
    if let Err(error) = http::start(sources) {
        error!(%error, "cannot serve HTTP: {error}; routes are kept anyway");
    }
    daemon.run_due(Instant::now());

    let mut events = registry.watch();
    let (outcome_sender, mut outcomes) = mpsc::channel(8);
    let (address_sender, mut address_events) = mpsc::channel(8);
    let (node, ledger) = (daemon.node().clone(), run_dir(&conf.network));
    let manager = AddressManager::new(conf.clone(), node, machine.clone(), folder.clone(), ledger);
    thread::spawn("addresses", move || manager.run(address_sender))?;
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
    let member = tokio::spawn(member.run(pending_requests, outcome_sender));

    let signal = loop {
        let mut wake = pin!(sleep_until(daemon.wake_at().into()));
        tokio::select! {
            _ = terminate.recv() => break "SIGTERM",
            _ = interrupt.recv() => break "SIGINT",
            event = events.recv() => {
                let first = event.ok_or(Error::Ended("the watch on the registry"))?;
                handle_batch(&mut daemon, first, &mut events, &interruptions);
            }
            outcome = outcomes.recv() => {
                let outcome = outcome.ok_or(Error::Ended("the registration of this node"))?;
                handle_outcome(&mut daemon, outcome)?;
            }
            event = address_events.recv() => {
                match event.ok_or(Error::Ended("the management of addresses"))? {
                    AddressEvent::Owned(owned) => daemon.set_owned(&owned),
                    AddressEvent::Failure(failure) => daemon.address_failure = failure,
                }
            }
            ready = monitor.readable_mut() => {
                let mut ready = ready?;
                let inner = ready.get_inner_mut();
                daemon.skip_own_changes(inner);
                let drained = inner.drain(|event| daemon.kernel_changed(event));
                ready.clear_ready();
                if let Err(error) = drained {
                    warn!(%error, "lost the kernel's events, subscribing again: {error}");
                    monitor = subscribe()?;
                    daemon.kernel_changed(KernelEvent::Lost);
                }
            }
            Some(query) = queries.recv() => daemon.answer(query),
            ready = firewall_monitor.changed() => {
                ready?;
                firewall_monitor.drain(daemon.firewall());
            }
            now = cni_watch.changed() => daemon.cni_folders_changed(now?),
            () = &mut wake => {}
        }
        daemon.run_due(Instant::now());
    };

    info!("stopping on {signal}: routes, conflist and claims stay as they are");
    let node = daemon.node().clone();
    drop((daemon, outcomes));
    // Without the socket, commands report at once that routed does not run. The next daemon creates
    // it.
    let _ = std::fs::remove_file(http::SOCKET);
    leave(member, &node, policy.lease_ttl).await;
    Ok(())
}

/// Waits until the node's presence is removed from etcd.
async fn leave(member: JoinHandle<()>, node: &NodeName, lease_ttl: Duration) {
    if timeout(SHUTDOWN_TIMEOUT, member).await.is_err() {
        let seconds = lease_ttl.as_secs();
        warn!(
            %node,
            "cannot remove the presence from etcd in time; this node counts as present for {seconds} s more"
        );
    }
}

/// Tells the daemon what came of its registration.
fn handle_outcome(daemon: &mut Daemon, outcome: MembershipOutcome) -> Result<(), Error> {
    match outcome {
        MembershipOutcome::Joined(owned) => daemon.joined(owned),
        MembershipOutcome::SubnetsLost(left) => daemon.lost(&left),
        MembershipOutcome::Delayed(reason) => daemon.delayed(reason),
        MembershipOutcome::Presence(state) => daemon.presence(state),
        MembershipOutcome::ConfigRejected(error) => {
            return Err(Error::ConfigRejected(Box::new(error)));
        }
    }
    Ok(())
}

/// Hands `first` and the events that are waiting behind it to the daemon.
fn handle_batch(
    daemon: &mut Daemon,
    first: RegistryEvent,
    events: &mut mpsc::Receiver<RegistryEvent>,
    interruptions: &watch::Sender<u64>,
) {
    let more = iter::from_fn(|| events.try_recv().ok()).take(MAX_EVENTS);
    for event in iter::once(first).chain(more) {
        if !matches!(event, RegistryEvent::Changes { .. }) {
            interruptions.send_modify(|count| *count += 1);
        }
        daemon.handle(event);
    }
}

/// Subscribes to the kernel's events.
#[allow(
    deprecated,
    reason = "its successor is unsafe, for types that give their descriptor away; Monitor does not"
)]
fn subscribe() -> Result<AsyncFd<NetlinkMonitor>, Error> {
    let monitor = NetlinkMonitor::open(Topics::ALL)?;
    Ok(AsyncFd::with_interest(monitor, Interest::READABLE)?)
}
