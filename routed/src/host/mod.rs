//! Prepares the node for pods: checks for overlapping networks, destroys leftover interfaces, takes
//! an IPv4 address if the node has none, switches forwarding on, finds the addresses to advertise,
//! requests the node's registration, and installs the conflist once all of this works.

pub(crate) mod addresses;
mod advertised;
pub(crate) mod cni_folder;
pub(crate) mod cni_versions;
pub(crate) mod cni_watch;
mod conflist;
pub(crate) mod crio;
pub(crate) mod forwarding;
pub(crate) mod link_settings;
mod node_ipv4;
mod registration;
mod restore_limit;
pub(crate) mod runtime_needs;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::Path;
use std::time::Instant;

use daemonkit::OnChange;
use ipnet::IpNet;
use nix::errno::Errno;
use registry::owned::Owned;
use registry::{Network, NodeRecord};
use tokio::sync::watch;
use tracing::{error, info, warn};
use wire::netlink::NetlinkRequest;
use wire::node::NodeName;

use self::advertised::Advertised;
use self::conflist::ConflistInstaller;
use self::forwarding::Forwarding;
use self::link_settings::Uplinks;
use self::registration::RegistrationRequests;
use self::runtime_needs::RuntimeNeeds;
use crate::config::Config;
use crate::kernel::{Netlink, NodeLink};
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
    runtime_needs: RuntimeNeeds,
    unseen_choice: Option<&'static str>,
    /// The addresses by which peers reach this node, where the kubelet decides that. None before
    /// they are known.
    registered_addresses: Vec<IpAddr>,
    unused_addresses: OnChange,
}

impl NodeSetup {
    /// A setup that has not checked anything yet. Requests for registration go to `requests`.
    pub(crate) fn new(
        config: Config,
        network: Network,
        own: NodeRecord,
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
            registration: RegistrationRequests::new(own, requests),
            runtime_needs: RuntimeNeeds::default(),
            unseen_choice: crio::unseen(),
            registered_addresses: Vec::new(),
            unused_addresses: OnChange::default(),
        }
    }

    /// Checks the node's `links`, addresses and settings, also those of the links of the routes to
    /// peers. Forwarding is needed only if the node `serves` a subnet. Returns whether all is well; if
    /// not, the caller checks again.
    pub(crate) fn check(
        &mut self,
        links: &[NodeLink],
        peer_links: &BTreeSet<u32>,
        serves: bool,
        now: Instant,
    ) -> bool {
        self.check_overlap(links);
        self.look_at_folders(now);
        self.destroy_removed_links();
        if !serves && !self.has_joined() && self.overlap.current().is_some() {
            // A network that overlaps has to go before the node joins; links that change are checked.
            return true;
        }
        self.ensure_node_ipv4(links);
        let has_addresses = self.update_addresses(now);
        has_addresses & (!serves || self.ensure_forwarding(peer_links, now))
    }

    /// Looks at what the container runtime finds: the conflists and the plugins.
    pub(crate) fn look_at_folders(&mut self, now: Instant) {
        self.conflist.look(&self.config, now);
        self.runtime_needs
            .look(&self.config.plugin_dir, &self.config.conflist);
    }

    /// Installs the conflist if the node has joined, forwards and has an address; the caller has
    /// checked routes and the firewall. Returns `false` if it failed and has to be tried again.
    ///
    /// A node that `goes_on` with what an earlier daemon did since the boot, because the registry is
    /// out of reach, puts back a conflist that is gone. It replaces none: whether the network agrees
    /// with a new one is not known.
    pub(crate) fn install(&mut self, goes_on: bool, now: Instant) -> bool {
        let may_install = self.has_joined() || goes_on && self.conflist.missing().is_some();
        if !may_install || !self.forwards() || self.addresses().is_empty() {
            return true;
        }
        let (addresses, left_out) = (self.advertised.addresses(), self.runtime_needs.left_out());
        self.conflist
            .install(&self.config, addresses, left_out, now)
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

    /// Peers reach this node by these addresses, because the kubelet registered them. Returns
    /// whether that is new.
    pub(crate) fn set_registered_addresses(&mut self, addresses: &[IpAddr]) -> bool {
        let is_new = self.registered_addresses != addresses;
        if let Some(text) = unused_addresses(&self.config.node_addresses, addresses)
            && self.unused_addresses.changed(&text)
        {
            warn!(node = %self.config.node, "{text}");
        }
        self.registered_addresses = addresses.to_vec();
        is_new
    }

    /// The addresses by which peers reach this node.
    pub(crate) fn addresses(&self) -> &[IpAddr] {
        self.advertised.addresses()
    }

    /// Whether the registry has had this node and its claims since the daemon started.
    pub(crate) fn has_joined(&self) -> bool {
        self.owned.is_some()
    }

    /// Whether NetworkPolicies are to be enforced on the node.
    pub(crate) fn has_policy(&self) -> bool {
        self.config.conflist.plugin().policy.is_some()
    }

    /// Whether the node forwarded at the last check.
    pub(crate) fn forwards(&self) -> bool {
        self.forwarding.is_on()
    }

    /// The path of the installed conflist.
    pub(crate) fn installed_conflist(&self) -> &Path {
        &self.config.installed_conflist
    }

    /// Why a container runtime does not find our conflist; `None` if it does.
    pub(crate) fn conflist_missing(&self) -> Option<&str> {
        self.conflist.missing()
    }

    /// Why a container runtime does not use our conflist although it is there: it takes another
    /// file, or a plugin of the chain is missing.
    pub(crate) fn conflist_obstacles(&self) -> impl Iterator<Item = &str> {
        let all = [self.conflist.obstacle(), self.runtime_needs.missing()];
        all.into_iter().flatten()
    }

    /// What cannot be seen of the runtime's choice.
    pub(crate) fn unseen_choice(&self) -> Option<&str> {
        self.unseen_choice
    }

    /// What pods of this node have to do without, as sentences.
    pub(crate) fn notices(&self) -> impl Iterator<Item = &str> {
        self.runtime_needs.notice().into_iter()
    }

    /// A network of this node that overlaps a pod CIDR.
    pub(crate) fn overlap(&self) -> Option<&str> {
        self.overlap.current()
    }

    /// What is wrong, as sentences: the node has no address, does not forward, has no conflist, or
    /// shares addresses with the pods.
    pub(crate) fn troubles(&self) -> impl Iterator<Item = &str> {
        self.troubles_by_kind().map(|(_, text)| text)
    }

    /// Like [`NodeSetup::troubles`], each with the reason of a Kubernetes Event about it.
    pub(crate) fn troubles_by_kind(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let all = [
            ("FlatlandNoAddress", self.advertised.trouble()),
            ("FlatlandOverlap", self.overlap.current()),
            ("FlatlandNotForwarding", self.forwarding.failure()),
            ("FlatlandPluginMissing", self.runtime_needs.trouble()),
        ];
        let all = all
            .into_iter()
            .filter_map(|(kind, text)| Some((kind, text?)));
        let conflist = self.conflist.troubles().chain(self.conflist.obstacle());
        all.chain(conflist.map(|text| ("FlatlandConflist", text)))
    }

    fn ensure_forwarding(&mut self, peer_links: &BTreeSet<u32>, now: Instant) -> bool {
        let uplinks = Uplinks {
            peer_links,
            node_addresses: self.advertised.addresses(),
        };
        self.forwarding
            .ensure(&mut self.kernel, &self.network, uplinks, now)
    }

    fn check_overlap(&mut self, links: &[NodeLink]) {
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
        let request = NetlinkRequest::DelLinkGroup {
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
    fn ensure_node_ipv4(&mut self, links: &[NodeLink]) {
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
        let found = match self.registered_addresses.as_slice() {
            [] => addresses::node_addresses(&mut self.kernel, configured, &self.network),
            registered => Ok(registered.to_vec()),
        };
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

/// What to say about addresses that are `configured` although peers use those that the kubelet has
/// `registered`.
fn unused_addresses(configured: &[IpAddr], registered: &[IpAddr]) -> Option<String> {
    let is_unused = |address: &&IpAddr| !registered.contains(address);
    let unused: Vec<_> = configured.iter().filter(is_unused).copied().collect();
    if registered.is_empty() || unused.is_empty() {
        return None;
    }
    Some(format!(
        "--node-address {} is ignored: peers reach this node by the InternalIPs of its Node ({}),          which the kubelet's --node-ip sets",
        list(&unused),
        list(registered)
    ))
}

#[cfg(test)]
mod tests;
