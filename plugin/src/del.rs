//! DEL: needs neither the namespace nor the result of ADD nor any state, and works twice.

use nix::errno::Errno;
use wire::cni::{Call, Delegate, Error};
use wire::conf::PluginConfig;
use wire::netlink::{Link, Request, Socket};
use wire::node;

use crate::failure::kernel;
use crate::wiring;

/// Detaches the pod. The interface goes first, its routes with it; only then are the addresses
/// given back, so that none is handed out while a packet for it still finds the old pod.
pub(crate) fn del(call: &Call) -> Result<(), Error> {
    let config = PluginConfig::parse(&call.config)?;
    let attachment = call.environment.attachment()?;
    let host_name = node::host_interface(&call.network, attachment);

    let mut host = Socket::open().map_err(|error| kernel("cannot reach the kernel", &error))?;
    let doing = || format!("deleting host interface {host_name} of {attachment}");
    let link = host
        .link_by_name(&host_name)
        .map_err(|error| kernel(&doing(), &error))?;
    let alias = wiring::alias(&call.network, attachment);
    let ours = link.filter(|link| is_ours(link, &alias));
    if let Some(link) = ours {
        match host.apply_all(&[Request::DelLink { index: link.index }]) {
            // The namespace went while we looked, and took the pair with it.
            Err(error) if error.errno() == Some(Errno::ENODEV) => {}
            outcome => outcome.map_err(|error| kernel(&doing(), &error))?,
        }
    }
    Delegate::find(call, &config.ipam_type)?.del(call)
}

/// The name is a hash: an interface that is somebody else's by its alias is not ours to delete. A
/// pair without an alias was left by an ADD that was cut short.
fn is_ours(link: &Link, alias: &str) -> bool {
    match &link.alias {
        Some(holder) => holder == alias,
        None => link.kind.as_deref() == Some("veth"),
    }
}
