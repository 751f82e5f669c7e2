//! DEL: takes the pod's interface out of use and frees its addresses.
//!
//! It needs no namespace, no result of ADD, no state, and of the configuration only the name of the
//! IPAM plugin. It can be repeated.

use std::path::Path;

use wire::cni::{Call, CniCommand, Error, RunningDelegate};
use wire::conf;
use wire::netlink::{Link, NetlinkSocket};

use crate::error::{self, kernel};
use crate::wiring::is_pair;
use crate::{deferred_delete, ipam, node};

/// Detaches the pod. The routes go first, with the interface; only then are the addresses freed, so
/// that no address is allocated again while packets for it still reach the old pod. The IPAM plugin
/// runs while the rest of the interface is removed.
pub(crate) fn del(call: &Call) -> Result<(), Error> {
    let mut host =
        NetlinkSocket::open().map_err(|error| kernel("cannot reach the kernel", &error))?;
    let disabled = disable_host_end(call, &mut host)?;
    let ipam = conf::ipam_of(&call.config).and_then(|ipam| ipam::find(call, &ipam));
    let running = ipam.as_ref().map(|ipam| ipam.start(call, CniCommand::Del));
    let finished = finish_removal(call, &mut host, disabled.as_ref());
    let freed = match running {
        Ok(running) => running.and_then(RunningDelegate::finish),
        Err(error) => Err(error.clone()),
    };
    finished.and(freed)
}

/// Takes the host end out of use, if it exists.
fn disable_host_end(call: &Call, host: &mut NetlinkSocket) -> Result<Option<Link>, Error> {
    let host_end = node::host_end_of(call, host)?;
    if let Some(link) = &host_end {
        let attachment = call.environment.attachment()?;
        let doing = format!("removing host interface {} of {attachment}", link.name);
        deferred_delete::disable(host, link).map_err(|error| kernel(&doing, &error))?;
    }
    Ok(host_end)
}

/// The rest of DEL, once no route leads to the pod. It runs even without a host end, as an
/// interrupted DEL may have disabled it and done no more.
fn finish_removal(
    call: &Call,
    host: &mut NetlinkSocket,
    host_end: Option<&Link>,
) -> Result<(), Error> {
    if let (Some(netns), Some(host_end)) = (&call.environment.netns, host_end) {
        hide_pod_end(netns, call.environment.attachment()?.interface(), host_end);
    }
    deferred_delete::destroy_soon(host)
        .map_err(|error| kernel("deleting interfaces that are out of use", &error))
}

/// Renames the pod's end, so that its name is free. The namespace may be gone, or another one may
/// be at its path. Failures are ignored: the pod's end is deleted with the host end shortly.
fn hide_pod_end(netns: &Path, interface: &str, host_end: &Link) {
    let pod_end = |pod: &mut NetlinkSocket| {
        let link = pod.link_by_name(interface).ok()??;
        is_pair(&link, host_end).then_some(link)
    };
    let Ok(netns) = error::open_pod(netns) else {
        return;
    };
    let Ok(mut pod) = netns.socket() else {
        return;
    };
    if let Some(link) = pod_end(&mut pod) {
        let _ = deferred_delete::hide(&mut pod, &link);
    }
}
