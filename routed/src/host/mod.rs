//! What a node needs besides its routes: that it forwards, that the registry knows its addresses,
//! and, once all else works, that the container runtime finds the conflist.

pub(crate) mod addresses;
pub(crate) mod advertised;
pub(crate) mod cni_versions;
pub(crate) mod forwarding;
pub(crate) mod node_ipv4;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;
use std::time::Instant;

use ipnet::IpNet;
use nix::errno::Errno;
use registry::owned::Owned;
use registry::{Network, NodeRecord};
use tokio::sync::watch;
use tracing::{error, info, warn};
use wire::atomic_file;
use wire::netlink::Request;
use wire::node::{MachineId, NodeName};

use self::advertised::Advertised;
use crate::config::Config;
use crate::host::cni_versions::CniVersions;
use crate::kernel::{Link, Netlink};
use crate::log::OnChange;
use crate::membership::DesiredRegistration;
use crate::text::list;

/// The chores and how they stand.
#[derive(Debug)]
pub(crate) struct NodeSetup {
    config: Config,
    network: Network,
    machine: MachineId,
    kernel: Netlink,
    wishes: watch::Sender<Option<DesiredRegistration>>,
    /// Whether the registry was seen: before that, this node writes nothing there.
    may_join: bool,
    round: u64,
    /// What others have of this node's, as last seen.
    lost: BTreeMap<IpNet, NodeName>,
    advertised: Advertised,
    owned: Option<Owned>,
    forwards: bool,
    /// What the runtime has, as of the last look.
    installed: Option<String>,
    /// Whether it was installed, or found installed, at least once.
    is_ready: bool,
    chain: CniVersions,
    overlap: OnChange,
    no_forwarding: OnChange,
    no_install: OnChange,
}

impl NodeSetup {
    /// Nothing is done yet.
    pub(crate) fn new(
        config: Config,
        network: Network,
        machine: MachineId,
        wishes: watch::Sender<Option<DesiredRegistration>>,
    ) -> Self {
        Self {
            chain: CniVersions::new(config.plugins.clone()),
            config,
            network,
            machine,
            kernel: Netlink::default(),
            wishes,
            may_join: false,
            round: 0,
            lost: BTreeMap::new(),
            advertised: Advertised::default(),
            owned: None,
            forwards: false,
            installed: None,
            is_ready: false,
            overlap: OnChange::default(),
            no_forwarding: OnChange::default(),
            no_install: OnChange::default(),
        }
    }

    /// Looks at the node again: at its `links`, and whether it forwards if it `serves` a subnet.
    /// Returns whether all is well; if not, try again.
    pub(crate) fn check(&mut self, links: &[Link], serves: bool, now: Instant) -> bool {
        self.installed = None;
        self.check_overlap(links);
        self.destroy_removed();
        self.ensure_own_address(links);
        let forwards = !serves || self.ensure_forwarding();
        self.update_addresses(now) && forwards
    }

    /// Gives the node an IPv4 address of its own subnet if it has no other.
    fn ensure_own_address(&mut self, links: &[Link]) {
        let Some(owned) = &self.owned else {
            return;
        };
        let (subnets, cidrs) = (&owned.subnets, &self.network.pod_cidrs);
        match node_ipv4::ensure(&mut self.kernel, links, subnets, cidrs) {
            Ok(changed) => changed.iter().for_each(|change| {
                info!("the node's own IPv4 address among its pods: {change}");
            }),
            Err(why) => {
                let node = &self.config.node;
                warn!("node {node} has no IPv4 address and cannot take one of its subnet: {why}");
            }
        }
    }

    /// Destroys interfaces that the plugin removed, where its own process for that was cut short.
    fn destroy_removed(&mut self) {
        let request = Request::DelLinkGroup {
            group: wire::REMOVED_GROUP,
        };
        match self.kernel.with(|socket| socket.apply_all(&[request])) {
            Err(error) if error.errno() != Some(Errno::ENODEV) => {
                warn!("cannot destroy the interfaces of pods that are gone: {error}");
            }
            _ => {}
        }
    }

    /// Whether `record`, the registry's of this node, is not what this node would have it say:
    /// somebody else wrote it, and peers go by it.
    pub(crate) fn is_wrong(&self, record: Option<&NodeRecord>) -> bool {
        !self.addresses().is_empty() && record.is_some_and(|record| *record != self.record())
    }

    /// By which addresses peers reach this node.
    pub(crate) fn addresses(&self) -> &[IpAddr] {
        self.advertised.addresses()
    }

    /// Whether the registry had this node and its claims, ever.
    pub(crate) fn has_joined(&self) -> bool {
        self.owned.is_some()
    }

    /// Whether the node forwards, as of the last look.
    pub(crate) fn forwards(&self) -> bool {
        self.forwards
    }

    /// Where the runtime finds the conflist, and whether it does, as of the last look.
    pub(crate) fn installed(&self) -> (&Path, bool) {
        let is_there = self.is_ready && self.no_install.current().is_none();
        (&self.config.installed, is_there)
    }

    /// Why the node has no address, does not forward, has no conflist, or shares addresses with
    /// the pods, in words.
    pub(crate) fn troubles(&self) -> impl Iterator<Item = &str> {
        let others = [&self.overlap, &self.no_forwarding, &self.no_install];
        let others = others.into_iter().filter_map(OnChange::current);
        self.advertised.trouble().into_iter().chain(others)
    }

    fn record(&self) -> NodeRecord {
        NodeRecord {
            addresses: self.addresses().to_vec(),
            machine_id: self.machine.as_str().to_owned(),
        }
    }

    /// The registry was seen, and `lacks` something that this node has to put there (again); it has
    /// given `lost` to others.
    pub(crate) fn registry_seen(&mut self, lacks: bool, lost: BTreeMap<IpNet, NodeName>) {
        self.may_join = true;
        self.lost = lost;
        self.round += u64::from(lacks);
        self.request_registration();
    }

    /// The registry has this node and its claims.
    pub(crate) fn joined(&mut self, owned: Owned) {
        if self.owned.as_ref() != Some(&owned) {
            info!("node {} owns {}", owned.node, list(&owned.subnets));
        }
        self.owned = Some(owned);
    }

    /// Installs the conflist on a node whose routes are in the kernel, if all else is done too.
    /// Returns whether that succeeded or has to wait for something else; if not, try again.
    pub(crate) fn install(&mut self) -> bool {
        let joined = self.owned.is_some();
        if !(joined && self.forwards && !self.addresses().is_empty()) {
            return true;
        }
        let (path, node) = (&self.config.installed, &self.config.node);
        let conflist = self.chain.restrict(&self.config.conflist);
        let text = conflist.with_node(node, self.addresses());
        if self.installed.as_ref() == Some(&text) {
            return true;
        }
        let shown = path.display();
        match atomic_file::replace(path, text.as_bytes()) {
            Ok(changed) => {
                if !self.is_ready {
                    let state = if changed { "installed" } else { "in place" };
                    info!("node {node} is ready for pods, {shown} is {state}");
                } else if changed {
                    info!("{shown} brought up to date");
                }
                self.is_ready = true;
                self.no_install.clear();
                self.installed = Some(text);
                true
            }
            Err(why) => {
                let text = format!("cannot install {shown}: {why}; the node is not ready for pods");
                if self.no_install.changed(&text) {
                    error!("{text}");
                }
                false
            }
        }
    }

    fn check_overlap(&mut self, links: &[Link]) {
        match addresses::overlap_with(links, &self.network) {
            None => drop(self.overlap.clear()),
            Some(overlap) => {
                let text = overlap.to_string();
                if self.overlap.changed(&text) {
                    error!("{text}");
                }
            }
        }
    }

    fn ensure_forwarding(&mut self) -> bool {
        match forwarding::ensure(&mut self.kernel, &self.network) {
            Ok(changed) => {
                if !changed.is_empty() {
                    info!("forwarding switched on: {}", changed.join(", "));
                }
                self.no_forwarding.clear();
                self.forwards = true;
            }
            Err(why) => {
                let text = format!("this node does not forward packets for its pods: {why}");
                if self.no_forwarding.changed(&text) {
                    error!("{text}");
                }
                self.forwards = false;
            }
        }
        self.forwards
    }

    fn update_addresses(&mut self, now: Instant) -> bool {
        let (config, network) = (&self.config, &self.network);
        let found = addresses::node_addresses(&mut self.kernel, &config.hints, network);
        let before = self.advertised.addresses().to_vec();
        let is_whole = self
            .advertised
            .update(found.map_err(|why| why.to_string()), now);
        if self.advertised.addresses() != before {
            let told = list(self.advertised.addresses());
            info!("peers reach node {} by {told}", self.config.node);
            self.request_registration();
        }
        is_whole
    }

    fn request_registration(&self) {
        if !self.may_join || self.addresses().is_empty() {
            return;
        }
        let wish = DesiredRegistration {
            record: self.record(),
            round: self.round,
            lost: self.lost.clone(),
        };
        self.wishes.send_if_modified(|current| {
            let changed = current.as_ref() != Some(&wish);
            if changed {
                *current = Some(wish);
            }
            changed
        });
    }
}
