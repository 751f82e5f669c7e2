//! The event loop of `routed run`: waits for events of the registry, the kernel, the other tasks
//! and signals, and hands each to the synchronous [`Daemon`], which decides.

use std::env;
use std::iter;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::pin::pin;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use daemonkit::query;
use daemonkit::readable::readable;
use daemonkit::signals::EndSignals;
use daemonkit::thread;
use registry::{Policy, Registry, RegistryEvent};
use tokio::io::unix::AsyncFd;
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
use crate::identity::ROUTED;
use crate::lock;
use crate::membership::forget_task::ForgetTask;
use crate::membership::{DesiredRegistration, Membership, MembershipOutcome};
use crate::node_report::NodeReporter;
use crate::pages::{self, PageSources};
use crate::status::health::Timings;
use crate::status::query::Query;
use crate::timeouts::SHUTDOWN_TIMEOUT;

/// At most this many events of the registry are handled between two passes.
const MAX_EVENTS: usize = 1_000;

/// The sources of events that are no task of ours: signals, the kernel, folders.
struct EventSources {
    signals: EndSignals,
    kernel: AsyncFd<NetlinkMonitor>,
    firewall: FirewallMonitor,
    cni_folders: CniWatch,
}

impl EventSources {
    fn open(config: &Config) -> Result<Self, Error> {
        Ok(Self {
            kernel: subscribe()?,
            firewall: FirewallMonitor::open(),
            signals: EndSignals::open()?,
            cni_folders: CniWatch::start(config),
        })
    }
}

/// The tasks that wait for the registry, and what they report.
struct Tasks {
    registry_events: mpsc::Receiver<RegistryEvent>,
    address_events: mpsc::Receiver<AddressEvent>,
    member: JoinHandle<()>,
    outcomes: mpsc::Receiver<MembershipOutcome>,
    /// Counts how often the watch on the registry was interrupted.
    interruptions: watch::Sender<u64>,
}

/// Runs until SIGTERM or SIGINT.
pub(crate) async fn run(config: Config) -> Result<(), Error> {
    let _lock = lock::acquire(Path::new(lock::PATH))?;
    // Subscribed before the tables are read, so that no change is missed.
    let mut sources = EventSources::open(&config)?;

    let conf = config.conflist.ipam().clone();
    let folder = state_dir(&conf.network);
    let policy = Policy {
        lease_ttl: config.presence_ttl,
        ..Policy::daemon()
    };
    let registry = Arc::new(Registry::open_on_node(&conf, &folder, policy)?);
    let machine = MachineId::read().map_err(Error::Machine)?;
    let (requests, pending_requests) = watch::channel(None);
    let (query_client, mut queries) = query::channel(ROUTED);
    let timings = Timings::new();
    NodeReporter::start(&conf, &config.node, query_client.clone());
    let page_sources = PageSources {
        query_client,
        timings: timings.clone(),
        conf: conf.clone(),
    };
    let listen = config.listen;
    let own = registry.own_record(machine.as_str());
    let mut daemon = Daemon::start(config, own, &folder, requests, timings)?;
    if let Err(error) = pages::serve(page_sources, listen) {
        error!(%error, "cannot serve HTTP: {error}; routes are kept anyway");
    }
    daemon.run_due(Instant::now());

    let node = daemon.node().clone();
    let member = Membership::new(
        conf.clone(),
        folder.clone(),
        policy,
        node.clone(),
        machine.clone(),
        Arc::clone(&registry),
    );
    let manager = AddressManager::new(
        conf.clone(),
        node.clone(),
        machine,
        folder,
        run_dir(&conf.network),
    );
    let mut tasks = Tasks::start(&registry, manager, member, pending_requests)?;
    let interrupted = tasks.interruptions.subscribe();
    ForgetTask::start(&conf, &node, &registry, interrupted);
    let reason = handle_events(&mut daemon, &mut sources, &mut queries, &mut tasks).await?;
    if let StopReason::Signal(signal) = reason {
        info!("stopping on {signal}: routes, conflist and claims stay as they are");
    }
    drop((daemon, tasks.outcomes));
    // Without the socket, commands report at once that routed does not run. The next daemon creates
    // it.
    let _ = std::fs::remove_file(ROUTED.socket);
    leave(tasks.member, &node, policy.lease_ttl).await;
    reason.follow(&mut sources.signals).await
}

impl Tasks {
    fn start(
        registry: &Arc<Registry>,
        manager: AddressManager,
        member: Membership,
        requests: watch::Receiver<Option<DesiredRegistration>>,
    ) -> Result<Self, Error> {
        let registry_events = registry.watch();
        let (outcome_sender, outcomes) = mpsc::channel(8);
        let (address_sender, address_events) = mpsc::channel(8);
        thread::spawn("addresses", move || manager.run(address_sender))?;
        Ok(Self {
            registry_events,
            address_events,
            member: tokio::spawn(member.run(requests, outcome_sender)),
            outcomes,
            interruptions: watch::channel(0).0,
        })
    }
}

/// Hands events to the daemon until it has to stop.
async fn handle_events(
    daemon: &mut Daemon,
    sources: &mut EventSources,
    queries: &mut mpsc::Receiver<Query>,
    tasks: &mut Tasks,
) -> Result<StopReason, Error> {
    loop {
        let mut wake = pin!(sleep_until(daemon.wake_at().into()));
        tokio::select! {
            signal = sources.signals.recv() => return Ok(StopReason::Signal(signal)),
            event = tasks.registry_events.recv() => {
                let first = event.ok_or(Error::Ended("the watch on the registry"))?;
                handle_batch(daemon, first, tasks);
            }
            outcome = tasks.outcomes.recv() => {
                let outcome = outcome.ok_or(Error::Ended("the registration of this node"))?;
                daemon.handle_outcome(outcome)?;
            }
            event = tasks.address_events.recv() => {
                match event.ok_or(Error::Ended("the management of addresses"))? {
                    AddressEvent::Owned(owned) => daemon.set_owned(&owned),
                    AddressEvent::Failure(failure) => daemon.address_failure = failure,
                }
            }
            ready = sources.kernel.readable_mut() => {
                let mut ready = ready?;
                let inner = ready.get_inner_mut();
                daemon.skip_own_changes(inner);
                let drained = inner.drain(|event| daemon.kernel_changed(event));
                ready.clear_ready();
                if let Err(error) = drained {
                    warn!(%error, "lost the kernel's events, subscribing again: {error}");
                    sources.kernel = subscribe()?;
                    daemon.kernel_changed(KernelEvent::Lost);
                }
            }
            Some(query) = queries.recv() => daemon.answer(query),
            ready = sources.firewall.changed() => {
                ready?;
                sources.firewall.drain(daemon.firewall());
            }
            now = sources.cni_folders.changed() => daemon.cni_folders_changed(now?),
            () = &mut wake => {}
        }
        let now = Instant::now();
        if daemon.must_start_over(now) {
            return Ok(StopReason::OtherNetwork);
        }
        daemon.run_due(now);
    }
}

/// Why the event loop ended.
enum StopReason {
    Signal(&'static str),
    /// The pod CIDRs changed.
    OtherNetwork,
}

impl StopReason {
    /// Ends the program, or starts it anew in the same process.
    async fn follow(self, signals: &mut EndSignals) -> Result<(), Error> {
        match self {
            Self::OtherNetwork if !signals.block().await? => Err(start_over()),
            Self::Signal(_) | Self::OtherNetwork => Ok(()),
        }
    }
}

/// Starts this program anew. Returns only if that fails.
fn start_over() -> Error {
    let mut arguments = env::args_os();
    let name = arguments.next().unwrap_or_default();
    let mut program = Command::new("/proc/self/exe");
    program.arg0(name).args(arguments);
    program.exec().into()
}

/// Waits until the node's presence is removed from the registry.
async fn leave(member: JoinHandle<()>, node: &NodeName, lease_ttl: Duration) {
    if timeout(SHUTDOWN_TIMEOUT, member).await.is_err() {
        let seconds = lease_ttl.as_secs();
        warn!(
            %node,
            "cannot remove the presence from the registry in time; this node counts as present for {seconds} s more"
        );
    }
}

/// Hands `first` and the events that are waiting behind it to the daemon.
fn handle_batch(daemon: &mut Daemon, first: RegistryEvent, tasks: &mut Tasks) {
    let more = iter::from_fn(|| tasks.registry_events.try_recv().ok()).take(MAX_EVENTS);
    for event in iter::once(first).chain(more) {
        if !matches!(event, RegistryEvent::Changes { .. }) {
            tasks.interruptions.send_modify(|count| *count += 1);
        }
        daemon.handle(event);
    }
}

/// Subscribes to the kernel's events.
fn subscribe() -> Result<AsyncFd<NetlinkMonitor>, Error> {
    Ok(readable(NetlinkMonitor::open(Topics::ALL)?)?)
}
