//! DEL: needs neither the namespace nor the result of ADD nor any state, nor more of the configuration
//! than the IPAM plugin's name, and works twice.

use std::path::Path;

use wire::cni::{Call, Command, Delegate, Error, Running};
use wire::conf;
use wire::netlink::{Link, Socket};
use wire::netns::Netns;

use crate::error::kernel;
use crate::wiring::is_pair;
use crate::{deferred_delete, node};

/// Detaches the pod. Its routes go first, at once and with the interface; only then are the
/// addresses given back, so that none is handed out while a packet for it still finds the old pod.
/// The IPAM plugin does that while the rest of the interface is cleared away.
pub(crate) fn del(call: &Call) -> Result<(), Error> {
    let mut host = Socket::open().map_err(|error| kernel("cannot reach the kernel", &error))?;
    let withdrawn = disable_host_end(call, &mut host)?;
    let ipam = conf::ipam_of(&call.config).and_then(|ipam| Delegate::find(call, &ipam));
    let running = ipam.as_ref().map(|ipam| ipam.start(call, Command::Del));
    let cleared = finish_removal(call, &mut host, withdrawn.as_ref());
    let freed = match running {
        Ok(running) => running.and_then(Running::finish).map(drop),
        Err(error) => Err(error.clone()),
    };
    cleared.and(freed)
}

/// Takes the host end out of use, if it is there.
fn disable_host_end(call: &Call, host: &mut Socket) -> Result<Option<Link>, Error> {
    let host_end = node::host_end_of(call, host)?;
    if let Some(link) = &host_end {
        let attachment = call.environment.attachment()?;
        let doing = format!("removing host interface {} of {attachment}", link.name);
        deferred_delete::disable(host, link).map_err(|error| kernel(&doing, &error))?;
    }
    Ok(host_end)
}

/// What is left to do once nothing leads to the pod. A DEL that was cut short may have withdrawn the
/// host end and done nothing more.
fn finish_removal(call: &Call, host: &mut Socket, host_end: Option<&Link>) -> Result<(), Error> {
    if let (Some(netns), Some(host_end)) = (&call.environment.netns, host_end) {
        hide_pod_end(netns, call.environment.attachment()?.interface(), host_end);
    }
    deferred_delete::destroy_soon(host)
        .map_err(|error| kernel("destroying what was removed", &error))
}

/// Takes the pod's end out of the pod's sight. The namespace may be gone or going, and there may be
/// another one at its path by now; whatever fails here, the end goes with the host end in a moment.
fn hide_pod_end(netns: &Path, interface: &str, host_end: &Link) {
    let pod_end = |pod: &mut Socket| {
        let link = pod.link_by_name(interface).ok()??;
        is_pair(&link, host_end).then_some(link)
    };
    let Ok(mut pod) = Netns::open(netns).and_then(|netns| netns.socket()) else {
        return;
    };
    if let Some(link) = pod_end(&mut pod) {
        let _ = deferred_delete::hide(&mut pod, &link);
    }
}
