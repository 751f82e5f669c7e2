//! The synchronous part of the daemon: takes in events, and does the work that is due. Nothing here
//! waits; the event loop does.

mod answers;
pub(crate) mod event_loop;
mod pacing;
mod registry_events;
pub(crate) mod state_file;

use std::path::{Path, PathBuf};
use std::time::Instant;

use daemonkit::OnChange;
use ipnet::IpNet;
use registry::owned::Owned;
use registry::{Network, NodeRecord};
use tokio::sync::watch;
use tracing::{info, warn};
use wire::conf::IpamConfig;
use wire::netlink::{NetlinkEvent as KernelEvent, NetlinkMonitor};
use wire::node::NodeName;
use wire::paths::run_dir;

use crate::addresses::ledger;
use crate::config::Config;
use crate::daemon::state_file::StateFile;
use crate::error::Error;
use crate::firewall::{self, Firewall};
use crate::host::{NodeSetup, addresses};
use crate::kernel::{Kernel, Netlink};
use crate::membership::{DesiredRegistration, MembershipOutcome};
use crate::reconcile::{Reconciler, live_pods};
use crate::rib::local_node::LocalNode;
use crate::status::health::{Health, Timings};
use crate::timeouts::{PASS_RETRY_BACKOFF, RESYNC_INTERVAL};

/// The daemon of a node.
pub(crate) struct Daemon {
    conf: IpamConfig,
    node: NodeName,
    folder: PathBuf,
    reconciler: Reconciler<Netlink>,
    /// For what the reconciler does not read.
    kernel: Netlink,
    firewall: Firewall,
    state_file: StateFile,
    node_setup: NodeSetup,
    health: Health,
    /// The earliest time of the next pass, and of the next pass over all routes.
    next_pass_at: Instant,
    next_full_pass_at: Instant,
    resync_at: Instant,
    /// When the node's setup is due, if it is.
    setup_due_at: Option<Instant>,
    failed_passes: u32,
    failed_setups: u32,
    pass_failure: OnChange,
    foreign_subnets: OnChange,
    /// Why the addresses of this node cannot be managed.
    address_failure: Option<String>,
    unknown_pods: OnChange,
    is_settled: bool,
    /// When to start over, because the network changed.
    start_over_at: Option<Instant>,
    /// Another cluster than that of this node's subnets, with its pod CIDRs.
    other_cluster: Option<(u64, Vec<IpNet>)>,
}

impl Daemon {
    /// Reads the node's links and routes, and the state that an earlier daemon left.
    pub(crate) fn start(
        config: Config,
        own: NodeRecord,
        folder: &Path,
        requests: watch::Sender<Option<DesiredRegistration>>,
        timings: Timings,
    ) -> Result<Self, Error> {
        let network = Network::from(config.conflist.ipam());
        let mut kernel = Netlink::default();
        let links = kernel.links()?;
        addresses::warn_of_unassigned_addresses(&config.node_addresses, &links);
        let (name, node) = (config.conflist.network().to_owned(), config.node.clone());
        let state_file = load_state(&config);
        let (seen, held) = (state_file.last_seen(), state_file.held());
        let plugin = config.conflist.plugin();
        let firewall = Firewall::new(firewall::FirewallConfig {
            masquerade: plugin.ip_masq,
            pod_cidrs: network.pod_cidrs.clone(),
            direct: plugin.non_masquerade_cidrs.clone(),
        });
        let mut local_node = LocalNode::new(node.clone(), network.clone(), plugin.cross_subnet);
        let kubernetes = config.conflist.ipam().kubernetes.as_ref();
        local_node.registered_machine = kubernetes.map(|_| own.machine_id.clone());
        let reconciler = Reconciler::new(kernel, local_node, seen, held)?;
        info!(
            %node,
            "routed {} of node {node} in network {name}; routes of ours found in the kernel: {}",
            wire::VERSION,
            reconciler.peer_route_count()
        );
        let now = Instant::now();
        let mut daemon = Self {
            conf: config.conflist.ipam().clone(),
            health: Health::new(timings),
            node,
            folder: folder.to_owned(),
            reconciler,
            kernel: Netlink::default(),
            firewall,
            state_file,
            node_setup: NodeSetup::new(config, network, own, requests),
            next_pass_at: now,
            next_full_pass_at: now,
            resync_at: now + RESYNC_INTERVAL.pause(1),
            setup_due_at: Some(now),
            failed_passes: 0,
            failed_setups: 0,
            pass_failure: OnChange::default(),
            foreign_subnets: OnChange::default(),
            address_failure: None,
            unknown_pods: OnChange::default(),
            is_settled: false,
            start_over_at: None,
            other_cluster: None,
        };
        // A damaged file does not matter: joining writes it again from the registry.
        daemon.reload_owned();
        daemon.restore_pod_routes();
        Ok(daemon)
    }

    /// Whether the daemon has to start over by `now`: the pod CIDRs that follow from the Nodes of
    /// Kubernetes changed, and everything rests on them.
    pub(crate) fn must_start_over(&self, now: Instant) -> bool {
        self.start_over_at.is_some_and(|at| at <= now)
    }

    /// This node's name.
    pub(crate) fn node(&self) -> &NodeName {
        &self.node
    }

    /// Lets `monitor` skip the daemon's own changes, which need no pass.
    pub(crate) fn skip_own_changes(&self, monitor: &mut NetlinkMonitor) {
        self.reconciler.kernel().hide_from(monitor);
    }

    /// This node owns these subnets, according to `subnets.json`.
    pub(crate) fn set_owned(&mut self, owned: &Owned) {
        if owned.node == self.node {
            self.reconciler.set_owned(&owned.subnets, owned.cluster);
            self.firewall.set_owned(&owned.subnets);
            if self.foreign_subnets.clear() {
                info!(node = %self.node, "node {} has subnets of its own now", self.node);
            }
        } else {
            let (folder, other) = (self.folder.display(), &owned.node);
            let text = format!(
                "{folder}/subnets.json is of node {other}, but this node is called {}; the subnets \
                 of {other} are not served here",
                self.node
            );
            if self.foreign_subnets.changed(&text) {
                warn!(node = %self.node, path = %folder, "{text}");
            }
        }
    }

    /// Reads `subnets.json` again: `flatland-ipam` claims and releases subnets too, and the file
    /// shows that before the registry's events do.
    fn reload_owned(&mut self) {
        match Owned::load(&self.folder) {
            Ok(Some(owned)) => self.set_owned(&owned),
            Ok(None) => {}
            Err(error) => warn!(%error, "{error}; keeping the subnets known before"),
        }
    }

    /// Puts back routes to pods that were removed while no daemon ran, or unnoticed.
    fn restore_pod_routes(&mut self) {
        match live_pods::pods(&mut self.kernel, &self.conf.network) {
            Ok(pods) => {
                self.reconciler.add_known_pods(&pods);
                self.unknown_pods.clear();
            }
            Err(error) => {
                let text = format!("cannot tell which pods this node has: {error}");
                if self.unknown_pods.changed(&text) {
                    warn!(%error, "{text}; missing routes to them are not put back");
                }
            }
        }
    }

    /// Takes in what came of this node's registration.
    pub(crate) fn handle_outcome(&mut self, outcome: MembershipOutcome) -> Result<(), Error> {
        match outcome {
            MembershipOutcome::Joined(owned) => {
                if self.conf.kubernetes.is_some() {
                    // Nothing else tells the plugins that the subnets are this node's in this boot.
                    ledger::confirm(&self.conf.network);
                }
                self.set_owned(&owned);
                self.joined_cluster(owned.cluster);
                self.node_setup.joined(owned);
                self.health.join_failure = None;
                self.setup_due_at = Some(Instant::now());
            }
            MembershipOutcome::SubnetsLost(left) => self.set_owned(&left),
            MembershipOutcome::Delayed(reason) => self.health.join_failure = Some(reason),
            MembershipOutcome::Presence(state) => self.health.presence = state,
            MembershipOutcome::ConfigRejected(error) => {
                return Err(Error::ConfigRejected(Box::new(error)));
            }
        }
        Ok(())
    }

    /// The kernel's tables changed.
    pub(crate) fn kernel_changed(&mut self, event: KernelEvent) {
        if matches!(event, KernelEvent::ForwardingChanged | KernelEvent::Lost) {
            self.setup_due_at.get_or_insert_with(Instant::now);
        }
        self.reconciler.kernel_changed(event, Instant::now());
    }

    /// The container runtime's folders may have changed.
    pub(crate) fn cni_folders_changed(&mut self, now: Instant) {
        self.node_setup.look_at_folders(now);
    }

    /// The firewall, which reads the monitor's events.
    pub(crate) fn firewall(&mut self) -> &mut Firewall {
        &mut self.firewall
    }

    /// Does all work that is due at `now`.
    pub(crate) fn run_due(&mut self, now: Instant) {
        if now >= self.resync_at {
            self.resync_at = now + RESYNC_INTERVAL.pause(1);
            self.setup_due_at.get_or_insert(now);
            self.reconciler.resync();
            self.restore_pod_routes();
            self.firewall.resync();
            self.state_file.update(self.reconciler.rib(), true);
        }
        self.reconciler.check_silent_hops(now);
        if self.pass_at().is_some_and(|at| at <= now) {
            self.pass(now);
        }
        self.firewall.run_due(now);
        self.health.log_due(now);
        let due = self.setup_due_at.is_some_and(|at| at <= now);
        let is_set_up = !due || self.check_node(now);
        let settled = self.reconciler.is_settled();
        if settled && !self.is_settled {
            self.is_settled = true;
            info!(
                "routes to peers in the kernel: {}",
                self.reconciler.peer_route_count()
            );
        }
        let is_cut_off = self.health.outage.is_some();
        let goes_on = is_cut_off && self.reconciler.is_settled_by_earlier_daemon();
        let may_install = (settled || goes_on) && self.firewall.is_ready();
        let may_install = may_install && (due || self.setup_due_at.is_none());
        let done = is_set_up && (!may_install || self.node_setup.install(goes_on, now));
        if due || !done {
            self.setup_done(done, now);
        }
    }

    fn check_node(&mut self, now: Instant) -> bool {
        let (links, serves) = (self.reconciler.links(), self.reconciler.owns_subnets());
        let peer_links = self.reconciler.peer_links();
        self.node_setup.check(links, &peer_links, serves, now)
    }

    fn setup_done(&mut self, done: bool, now: Instant) {
        self.failed_setups = if done { 0 } else { self.failed_setups + 1 };
        self.setup_due_at = (!done).then(|| now + PASS_RETRY_BACKOFF.pause(self.failed_setups));
    }

    /// When `run_due` has to be called again, if no event comes before.
    pub(crate) fn wake_at(&self) -> Instant {
        let absence = self.health.absences.due_at();
        let silent = self.reconciler.silent_hops_due_at();
        let due = [
            self.pass_at(),
            self.setup_due_at,
            absence,
            silent,
            self.start_over_at,
        ];
        let due = due.into_iter().flatten().min();
        let sooner = due.map_or(self.resync_at, |due| due.min(self.resync_at));
        sooner.min(self.firewall.wake_at())
    }
}

/// Reads the state file. If it is damaged, it gets the derived pod CIDRs that are used instead.
fn load_state(config: &Config) -> StateFile {
    let ipam = config.conflist.ipam();
    let mut state_file = StateFile::load(&run_dir(config.conflist.network()));
    if state_file.is_damaged() && ipam.has_derived_pod_cidrs() {
        state_file.set_pod_cidrs(&ipam.pod_cidrs);
    }
    state_file
}
