//! DEL: needs neither the namespace nor the result of ADD nor any state, and works twice.

use std::path::Path;

use wire::cni::{Call, Delegate, Error};
use wire::conf::PluginConfig;
use wire::netlink::{Link, Socket};
use wire::netns::Netns;
use wire::node;

use crate::failure::kernel;
use crate::removal;
use crate::wiring::{self, is_pair};

/// Detaches the pod. Its routes go first, at once and with the interface; only then are the
/// addresses given back, so that none is handed out while a packet for it still finds the old pod.
pub(crate) fn del(call: &Call) -> Result<(), Error> {
    let config = PluginConfig::parse(&call.config)?;
    let mut host = Socket::open().map_err(|error| kernel("cannot reach the kernel", &error))?;
    let withdrawn = withdraw(call, &mut host)?;
    let freed = Delegate::find(call, &config.ipam_type).and_then(|ipam| ipam.del(call));
    if withdrawn {
        removal::destroy_soon(&mut host)
            .map_err(|error| kernel("destroying what was removed", &error))?;
    }
    freed
}

/// Takes the pair out of use, if it is there.
fn withdraw(call: &Call, host: &mut Socket) -> Result<bool, Error> {
    let attachment = call.environment.attachment()?;
    let name = node::host_interface(&call.network, attachment);
    let failed = |error| {
        kernel(
            &format!("removing host interface {name} of {attachment}"),
            &error,
        )
    };
    let alias = wiring::alias(&call.network, attachment);
    let link = host.link_by_name(&name).map_err(failed)?;
    let Some(host_end) = link.filter(|link| is_ours(link, &alias)) else {
        return Ok(false);
    };
    removal::withdraw(host, &host_end).map_err(failed)?;
    if let Some(netns) = &call.environment.netns {
        clear(netns, attachment.interface(), &host_end);
    }
    Ok(true)
}

/// Takes the pod's end out of the pod's sight. The namespace may be gone or going, and there may be
/// another one at its path by now; whatever fails here, the end goes with the host end in a moment.
fn clear(netns: &Path, interface: &str, host_end: &Link) {
    let pod_end = |pod: &mut Socket| {
        let link = pod.link_by_name(interface).ok()??;
        is_pair(&link, host_end).then_some(link)
    };
    let Ok(mut pod) = Netns::open(netns).and_then(|netns| netns.socket()) else {
        return;
    };
    if let Some(link) = pod_end(&mut pod) {
        let _ = removal::withdraw(&mut pod, &link);
    }
}

/// The name is a hash: an interface that is somebody else's by its alias is not ours to delete. A
/// pair without an alias was left by an ADD that was cut short.
fn is_ours(link: &Link, alias: &str) -> bool {
    match &link.alias {
        Some(holder) => holder == alias,
        None => link.kind.as_deref() == Some("veth"),
    }
}
