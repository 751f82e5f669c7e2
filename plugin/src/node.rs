//! The node: MTU, addresses and IPv6 support for the pods, and IP forwarding.

use std::net::IpAddr;
use std::path::Path;

use wire::cni::{Call, Error, code};
use wire::conf::{MIN_IPV6_MTU, PluginConfig};
use wire::netlink::{self, Link, NetlinkSocket, Uplink};
use wire::{forwarding, pod_link};

use crate::error::kernel;

/// The properties of the node that a pod's wiring depends on.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NodeProperties {
    /// MTU of the pods' interfaces, in bytes.
    pub(crate) mtu: u32,
    /// The node's addresses: the source of what it sends to its pods. If empty, the kernel chooses.
    pub(crate) addresses: Vec<IpAddr>,
    /// Whether the pods' interfaces can have IPv6.
    pub(crate) ipv6: bool,
}

/// Reads the values that the configuration does not set from the uplink. A node without an uplink
/// is fine if the configuration sets the MTU.
pub(crate) fn describe(
    socket: &mut NetlinkSocket,
    config: &PluginConfig,
) -> Result<NodeProperties, Error> {
    let (mtu, addresses) = match Uplink::find(socket, &config.node_addresses) {
        Ok(uplink) if config.mtu == 0 => (uplink.mtu, uplink.addresses),
        Ok(uplink) => (config.mtu, uplink.addresses),
        Err(_) if config.mtu != 0 => (config.mtu, Vec::new()),
        Err(error @ netlink::Error::Interrupted { .. }) => {
            return Err(kernel("cannot find this node's uplink", &error));
        }
        Err(error) => {
            return Err(Error::new(
                code::INVALID_CONFIG,
                format!("cannot tell the pods' MTU from this node's uplink: {error}"),
            )
            .advise("set `mtu` in the flatland section of the conflist"));
        }
    };
    Ok(NodeProperties {
        mtu,
        addresses,
        ipv6: mtu >= MIN_IPV6_MTU && Path::new("/proc/sys/net/ipv6").exists(),
    })
}

/// Refuses IPv6 addresses if the pod's interface cannot have them: the kernel's error would come
/// later and say less.
pub(crate) fn check_families(node: &NodeProperties, addresses: &[IpAddr]) -> Result<(), Error> {
    match addresses.iter().find(|address| address.is_ipv6()) {
        Some(address) if !node.ipv6 => Err(Error::new(
            code::INVALID_CONFIG,
            format!("the pod was given {address}, but its interface can have no IPv6"),
        )
        .advise(format!(
            "it takes a kernel with IPv6 and an MTU of at least {MIN_IPV6_MTU} (here {}); or \
             give the network no IPv6 pod CIDR",
            node.mtu
        ))),
        _ => Ok(()),
    }
}

/// The host end of the attachment, if it exists. Its name is a hash, so that the alias must name
/// the attachment too. A veth without an alias was left by an ADD that was interrupted.
pub(crate) fn host_end_of(call: &Call, host: &mut NetlinkSocket) -> Result<Option<Link>, Error> {
    let attachment = call.environment.attachment()?;
    let name = pod_link::host_interface_name(&call.network, attachment);
    let link = host.link_by_name(&name).map_err(|error| {
        let doing = format!("looking for host interface {name} of {attachment}");
        kernel(&doing, &error)
    })?;
    let alias = pod_link::alias(&call.network, attachment);
    Ok(link.filter(|link| match &link.alias {
        Some(holder) => *holder == alias,
        None => link.kind.as_deref() == Some("veth"),
    }))
}

/// Switches IP forwarding on for the families of these addresses. `routed` does the same; a node
/// without `routed`, or before it runs, needs it from here.
pub(crate) fn enable_forwarding(addresses: &[IpAddr]) -> Result<(), Error> {
    let has = |v4: bool| addresses.iter().any(|address| address.is_ipv4() == v4);
    forwarding::ensure(has(true), has(false))
        .map(drop)
        .map_err(|error| {
            let msg = format!("pods cannot reach each other: {error}");
            Error::new(code::IO, msg).advise(
                "switch forwarding on by hand: net.ipv4.ip_forward = 1, for IPv6 \
                 net.ipv6.conf.all.forwarding = 1, but first accept_ra = 2 on each link that accepts \
                 router advertisements",
            )
        })
}
