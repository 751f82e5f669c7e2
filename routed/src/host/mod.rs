//! Prepares the node for pods: checks for overlapping networks, destroys leftover interfaces, takes
//! an IPv4 address if the node has none, switches forwarding on, finds the addresses to advertise,
//! requests the node's registration, and installs the conflist once all of this works.

pub(crate) mod addresses;
mod advertised;
pub(crate) mod cni_versions;
mod conflist;
pub(crate) mod forwarding;
mod node_ipv4;
mod registration;

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
use wire::netlink::Request;
use wire::node::{MachineId, NodeName};

use self::advertised::Advertised;
use self::conflist::ConflistInstaller;
use self::forwarding::Forwarding;
use self::registration::RegistrationRequests;
use crate::config::Config;
use crate::kernel::{Link, Netlink};
use crate::log::OnChange;
use crate::membership::DesiredRegistration;
use crate::text::list;

/// The setup of the node and its present state.
#[derive(Debug)]
pub(crate) struct NodeSetup {
    config: Config,
    network: Network,
    kernel: Netlink,
    owned: Option<Owned>,
    overlap: OnChange,
    forwarding: Forwarding,
    advertised: Advertised,
    registration: RegistrationRequests,
    conflist: ConflistInstaller,
}

impl NodeSetup {
    /// A setup that has not checked anything yet. Requests for registration go to `requests`.
    pub(crate) fn new(
        config: Config,
        network: Network,
        machine: &MachineId,
        requests: watch::Sender<Option<DesiredRegistration>>,
    ) -> Self {
        Self {
            conflist: ConflistInstaller::new(config.plugin_dir.clone()),
            config,
            network,
            kernel: Netlink::default(),
            owned: None,
            overlap: OnChange::default(),
            forwarding: Forwarding::default(),
            advertised: Advertised::default(),
            registration: RegistrationRequests::new(machine, requests),
        }
    }

    /// Checks the node's `links`, addresses and settings. Forwarding is needed only if the node
    /// `serves` a subnet. Returns whether all is well; if not, the caller checks again.
    pub(crate) fn check(&mut self, links: &[Link], serves: bool, now: Instant) -> bool {
        self.conflist.recheck();
        self.check_overlap(links);
        self.destroy_removed_links();
        self.ensure_node_ipv4(links);
        let forwards = !serves || self.forwarding.ensure(&mut self.kernel, &self.network);
        self.update_addresses(now) && forwards
    }

    /// Installs the conflist if the node has joined, forwards and has an address; the caller has
    /// checked routes and the firewall. Returns `false` if it failed and has to be tried again.
    pub(crate) fn install(&mut self) -> bool {
        if !self.has_joined() || !self.forwards() || self.addresses().is_empty() {
            return true;
        }
        self.conflist
            .install(&self.config, self.advertised.addresses())
    }

    /// The registry was read. It `lacks` something that this node has to write (again), and it has
    /// given the subnets `lost` to other nodes.
    pub(crate) fn registry_seen(&mut self, lacks: bool, lost: BTreeMap<IpNet, NodeName>) {
        self.registration.registry_seen(lacks, lost);
    }

    /// The registry has this node's record and its claims.
    pub(crate) fn joined(&mut self, owned: Owned) {
        if self.owned.as_ref() != Some(&owned) {
            let subnets = list(&owned.subnets);
            info!(node = %owned.node, subnet = %subnets, "node {} owns {subnets}", owned.node);
        }
        self.owned = Some(owned);
    }

    /// Whether `record`, which the registry has of this node, differs from what this node would
    /// write. Another program wrote it then, and peers use it.
    pub(crate) fn is_wrong(&self, record: Option<&NodeRecord>) -> bool {
        let own = self.registration.record();
        !own.addresses.is_empty() && record.is_some_and(|record| record != own)
    }

    /// The addresses by which peers reach this node.
    pub(crate) fn addresses(&self) -> &[IpAddr] {
        self.advertised.addresses()
    }

    /// Whether the registry has had this node and its claims since the daemon started.
    pub(crate) fn has_joined(&self) -> bool {
        self.owned.is_some()
    }

    /// Whether the node forwarded at the last check.
    pub(crate) fn forwards(&self) -> bool {
        self.forwarding.is_on()
    }

    /// The path of the installed conflist, and whether it is installed.
    pub(crate) fn installed(&self) -> (&Path, bool) {
        (&self.config.installed_conflist, self.conflist.installed())
    }

    /// What is wrong, as sentences: the node has no address, does not forward, has no conflist, or
    /// shares addresses with the pods.
    pub(crate) fn troubles(&self) -> impl Iterator<Item = &str> {
        let all = [
            self.advertised.trouble(),
            self.overlap.current(),
            self.forwarding.failure(),
            self.conflist.failure(),
        ];
        all.into_iter().flatten()
    }

    fn check_overlap(&mut self, links: &[Link]) {
        match addresses::overlap_with(links, &self.network) {
            None => drop(self.overlap.clear()),
            Some(overlap) => {
                let (text, link) = (overlap.to_string(), &overlap.link);
                if self.overlap.changed(&text) {
                    error!(%link, "{text}");
                }
            }
        }
    }

    /// Destroys interfaces that the plugin detached from their pods, if the plugin's own process
    /// for destroying them was killed.
    fn destroy_removed_links(&mut self) {
        let request = Request::DelLinkGroup {
            group: wire::REMOVED_GROUP,
        };
        match self.kernel.with(|socket| socket.apply_all(&[request])) {
            Err(error) if error.errno() != Some(Errno::ENODEV) => {
                warn!(%error, "cannot destroy the interfaces of pods that are gone: {error}");
            }
            _ => {}
        }
    }

    /// Gives the node an IPv4 address of its own subnet if it has no other.
    fn ensure_node_ipv4(&mut self, links: &[Link]) {
        let Some(owned) = &self.owned else {
            return;
        };
        let (subnets, cidrs) = (&owned.subnets, &self.network.pod_cidrs);
        match node_ipv4::ensure(&mut self.kernel, links, subnets, cidrs) {
            Ok(changes) => changes.iter().for_each(|change| {
                info!("the node's own IPv4 address among its pods: {change}");
            }),
            Err(error) => {
                let node = &self.config.node;
                warn!(
                    %node,
                    %error,
                    "node {node} has no IPv4 address and cannot take one of its subnet: {error}"
                );
            }
        }
    }

    /// Finds the addresses to advertise, and requests a new registration if they changed. Returns
    /// `false` if an address is missing.
    fn update_addresses(&mut self, now: Instant) -> bool {
        let configured = &self.config.node_addresses;
        let found = addresses::node_addresses(&mut self.kernel, configured, &self.network);
        let before = self.advertised.addresses().to_vec();
        let found = found.map_err(|error| error.to_string());
        let is_complete = self.advertised.update(found, now);
        if self.advertised.addresses() != before {
            let (node, addresses) = (&self.config.node, list(self.addresses()));
            info!(%node, address = %addresses, "peers reach node {node} by {addresses}");
            self.registration.set_addresses(self.advertised.addresses());
        }
        is_complete
    }
}
