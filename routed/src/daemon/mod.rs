//! What the loop drives: it is told what happened and when to work. Nothing here waits.

mod answers;
pub(crate) mod event_loop;
mod pacing;
mod registry_events;
pub(crate) mod state_file;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use registry::owned::Owned;
use registry::{Backoff, Network, PresenceState};
use tokio::sync::watch;
use tracing::{info, warn};
use wire::cni;
use wire::netlink::{Event as KernelEvent, Monitor};
use wire::node::{MachineId, NodeName};
use wire::paths::run_dir;

use crate::config::Config;
use crate::daemon::state_file::StateFile;
use crate::error::Error;
use crate::firewall::{self, Firewall};
use crate::host::{NodeSetup, addresses};
use crate::kernel::{Kernel, Netlink};
use crate::log::OnChange;
use crate::membership::DesiredRegistration;
use crate::reconcile::{Reconciler, live_pods};
use crate::rib::local_node::LocalNode;
use crate::status::health::{Health, Timings};

/// Between looks at everything, whatever was heard. Up to half of it is jitter. The kernel tells of
/// every change, and of those it could not tell of; this is for what nobody thought of, and with
/// thousands of peers it is most of what the daemon does at rest.
const RESYNC: Backoff = Backoff {
    first: Duration::from_secs(180),
    most: Duration::from_secs(180),
};

/// Between tries of what failed as a whole: the netlink socket, a setting, a file.
const PAUSES: Backoff = Backoff {
    first: Duration::from_millis(200),
    most: Duration::from_secs(10),
};

/// The daemon of a node.
pub(crate) struct Daemon {
    network: String,
    node: NodeName,
    folder: PathBuf,
    reconciler: Reconciler<Netlink>,
    /// For what the reconciler does not look at.
    kernel: Netlink,
    firewall: Firewall,
    state_file: StateFile,
    node_setup: NodeSetup,
    health: Health,
    /// Whether there is one node, and the registry is a file.
    is_local: bool,
    /// No pass before this, and none over all routes before `rested_at`.
    next_pass_at: Instant,
    next_full_pass_at: Instant,
    resync_at: Instant,
    /// The chores are due at this time, if they are.
    setup_due_at: Option<Instant>,
    failed_passes: u32,
    failed_setups: u32,
    pass_failure: OnChange,
    foreign_subnets: OnChange,
    unknown_pods: OnChange,
    is_settled: bool,
}

impl Daemon {
    /// Looks at the node and takes up what an earlier daemon left.
    pub(crate) fn start(
        config: Config,
        machine: MachineId,
        folder: &Path,
        wishes: watch::Sender<Option<DesiredRegistration>>,
        timings: Timings,
    ) -> Result<Self, Error> {
        let network = Network::from(config.conflist.ipam());
        let mut kernel = Netlink::default();
        let links = kernel.links()?;
        if let Some(overlap) = addresses::overlap_with(&links, &network) {
            return Err(cni::Error::from(overlap).into());
        }
        addresses::warn_of_unassigned_addresses(&config.node_addresses, &links);
        let (name, node) = (config.conflist.network().to_owned(), config.node.clone());
        let memory = StateFile::load(&run_dir(&name));
        let (seen, held) = (memory.last_seen(), memory.held());
        let plugin = config.conflist.plugin();
        let firewall = Firewall::new(firewall::FirewallConfig {
            masquerade: plugin.ip_masq,
            pod_cidrs: network.pod_cidrs.clone(),
            direct: plugin.non_masquerade_cidrs.clone(),
        });
        let side = LocalNode::new(node.clone(), network.clone(), plugin.cross_subnet);
        let reconciler = Reconciler::new(kernel, side, seen, held)?;
        info!(
            "routed {} of node {node} in network {name}; routes of ours found in the kernel: {}",
            wire::VERSION,
            reconciler.count()
        );
        let now = Instant::now();
        let mut daemon = Self {
            is_local: config.conflist.ipam().etcd.is_none(),
            health: Health::new(timings),
            network: name,
            node,
            folder: folder.to_owned(),
            reconciler,
            kernel: Netlink::default(),
            firewall,
            state_file: memory,
            node_setup: NodeSetup::new(config, network, machine, wishes),
            next_pass_at: now,
            next_full_pass_at: now,
            resync_at: now + RESYNC.pause(1),
            setup_due_at: Some(now),
            failed_passes: 0,
            failed_setups: 0,
            pass_failure: OnChange::default(),
            foreign_subnets: OnChange::default(),
            unknown_pods: OnChange::default(),
            is_settled: false,
        };
        // A damaged file stops nobody: the registry knows what it said, and joining writes it anew.
        daemon.reload_owned();
        daemon.restore_pod_routes();
        Ok(daemon)
    }

    /// This node's name.
    pub(crate) fn node(&self) -> &NodeName {
        &self.node
    }

    /// Lets `monitor` pass over what the daemon itself changes: a route of one's own making is no
    /// news, however many there are to compare.
    pub(crate) fn hide_from(&self, monitor: &mut Monitor) {
        self.reconciler.kernel().hide_from(monitor);
    }

    /// This node owns these subnets.
    pub(crate) fn set_owned(&mut self, owned: &Owned) {
        if owned.node == self.node {
            self.reconciler.set_owned(&owned.subnets, owned.cluster);
            self.firewall.set_owned(&owned.subnets);
        } else {
            let (folder, other) = (self.folder.display(), &owned.node);
            let text = format!(
                "{folder}/subnets.json is of node {other}, but this node is called {}; what \
                 {other} owned is not served here",
                self.node
            );
            if self.foreign_subnets.changed(&text) {
                warn!("{text}");
            }
        }
    }

    /// Others of this node (`flatland-ipam`) claim and release subnets too; the file says so
    /// before the registry does.
    fn reload_owned(&mut self) {
        match Owned::load(&self.folder) {
            Ok(Some(owned)) => self.set_owned(&owned),
            Ok(None) => {}
            Err(why) => warn!("{why}; going on with what was known"),
        }
    }

    /// Routes to pods that went while nobody looked come back.
    fn restore_pod_routes(&mut self) {
        match live_pods::pods(&mut self.kernel, &self.network) {
            Ok(pods) => {
                self.reconciler.remember_pods(&pods);
                self.unknown_pods.clear();
            }
            Err(why) => {
                let text = format!("cannot tell which pods this node has: {why}");
                if self.unknown_pods.changed(&text) {
                    warn!("{text}; routes to them that are gone stay so");
                }
            }
        }
    }

    /// The registry has this node and its claims.
    pub(crate) fn joined(&mut self, owned: Owned) {
        self.set_owned(&owned);
        self.node_setup.joined(owned);
        self.health.join_failure = None;
        self.setup_due_at = Some(Instant::now());
    }

    /// Others have some of this node's subnets.
    pub(crate) fn lost(&mut self, left: &Owned) {
        self.set_owned(left);
    }

    /// This node cannot join the network, or renew its place in it, because of this.
    pub(crate) fn delayed(&mut self, why: String) {
        self.health.join_failure = Some(why);
    }

    /// Whether peers can see that this node is alive.
    pub(crate) fn presence(&mut self, state: PresenceState) {
        self.health.presence = state;
    }

    /// The kernel's tables changed.
    pub(crate) fn kernel_changed(&mut self, event: KernelEvent) {
        self.reconciler.kernel_changed(event);
    }

    /// The packet filter, to be told of changes.
    pub(crate) fn firewall(&mut self) -> &mut Firewall {
        &mut self.firewall
    }

    /// Does what is due.
    pub(crate) fn run_due(&mut self, now: Instant) {
        if now >= self.resync_at {
            self.resync_at = now + RESYNC.pause(1);
            self.setup_due_at.get_or_insert(now);
            self.reconciler.resync();
            self.restore_pod_routes();
            self.firewall.resync();
            self.state_file.update(self.reconciler.rib(), true);
        }
        if self.pass_at().is_some_and(|at| at <= now) {
            self.pass(now);
        }
        self.firewall.run_due(now);
        self.health.log_due(now);
        let due = self.setup_due_at.is_some_and(|at| at <= now);
        let (links, serves) = (self.reconciler.links(), self.reconciler.serves());
        let looked = !due || self.node_setup.check(links, serves, now);
        let settled = self.reconciler.is_settled();
        if settled && !self.is_settled {
            self.is_settled = true;
            info!("routes to peers in the kernel: {}", self.reconciler.count());
        }
        let may_install = settled && self.firewall.is_ready();
        let may_install = may_install && (due || self.setup_due_at.is_none());
        let done = looked && (!may_install || self.node_setup.install());
        if due || !done {
            self.setup_done(done, now);
        }
    }

    fn setup_done(&mut self, done: bool, now: Instant) {
        self.failed_setups = if done { 0 } else { self.failed_setups + 1 };
        self.setup_due_at = (!done).then(|| now + PAUSES.pause(self.failed_setups));
    }

    /// When to work next, if nothing happens before.
    pub(crate) fn wake_at(&self) -> Instant {
        let absence = self.health.absences.due_at();
        let due = [self.pass_at(), self.setup_due_at, absence];
        let due = due.into_iter().flatten().min();
        let sooner = due.map_or(self.resync_at, |due| due.min(self.resync_at));
        sooner.min(self.firewall.wake_at())
    }
}
