//! Applies a wiring to the kernel, and rolls it back on failure.

use std::os::fd::AsRawFd;

use nix::errno::Errno;
use wire::cni::{Call, Error, code};
use wire::netlink::{self, NetlinkRequest, NetlinkSocket};
use wire::netns::Netns;
use wire::pod_link;
use wire::sysctl;

use crate::error::{self, kernel};
use crate::wiring::Wiring;
use crate::{deferred_delete, ipv6, node};

/// One socket on each side of the pair.
pub(crate) struct Sockets {
    pub(crate) host: NetlinkSocket,
    pub(crate) pod: NetlinkSocket,
}

/// Why wiring a pod failed.
#[derive(Debug)]
pub(crate) struct WiringFailure {
    pub(crate) error: Error,
    /// Whether links or routes may remain in the kernel: then the addresses must stay reserved.
    pub(crate) may_remain: bool,
}

impl From<Error> for WiringFailure {
    fn from(error: Error) -> Self {
        Self {
            error,
            may_remain: false,
        }
    }
}

impl Sockets {
    /// Opens both sockets.
    pub(crate) fn open(netns: &Netns) -> Result<Self, Error> {
        Ok(Self {
            host: NetlinkSocket::open()
                .map_err(|error| kernel("cannot reach the kernel", &error))?,
            pod: netns.socket().map_err(|error| error::namespace(&error))?,
        })
    }
}

/// The two ends of a pair: their indexes, each in its own namespace.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ends {
    host: u32,
    pod: u32,
}

/// Configures the pair as the wiring says. On failure it removes the pair; the error says if that
/// failed too.
pub(crate) fn apply(
    wiring: &Wiring,
    netns: &Netns,
    sockets: &mut Sockets,
    ends: Ends,
) -> Result<(), WiringFailure> {
    node::enable_forwarding(&wiring.addresses)
        .and_then(|()| connect(wiring, netns, sockets, ends))
        .map_err(|error| remove_pair(error, wiring, sockets, ends))
}

/// Removes the pair because of `error`; the returned error says if that failed.
pub(crate) fn remove_pair(
    error: Error,
    wiring: &Wiring,
    sockets: &mut Sockets,
    ends: Ends,
) -> WiringFailure {
    match deferred_delete::delete_now(&mut sockets.host, ends.host) {
        Ok(()) => error.into(),
        Err(failure) => left_behind(error, wiring, &failure),
    }
}

/// Removes a pair of this attachment without an alias: an interrupted ADD has left it, before it
/// had addresses.
pub(crate) fn remove_unclaimed(call: &Call) -> Result<(), Error> {
    let name = pod_link::host_interface_name(&call.network, call.environment.attachment()?);
    let failed = |error| kernel(&format!("removing {name}, left by another ADD"), &error);
    let mut host = NetlinkSocket::open().map_err(failed)?;
    let link = host.link_by_name(&name).map_err(failed)?;
    match link.filter(|link| link.alias.is_none() && link.kind.as_deref() == Some("veth")) {
        Some(link) => deferred_delete::delete_now(&mut host, link.index).map_err(failed),
        None => Ok(()),
    }
}

/// Creates the pair of a wiring, which does not depend on the addresses.
pub(crate) fn make_pair(
    wiring: &Wiring,
    netns: &Netns,
    sockets: &mut Sockets,
) -> Result<Ends, WiringFailure> {
    let pair = wiring.pair(netns.as_raw_fd());
    let made = match sockets.host.add_veth(&pair) {
        // The name may belong to an interface that DEL has taken out of use and that is not deleted
        // yet, or was deleted just now.
        Err(error)
            if error.errno() == Some(Errno::EEXIST)
                && deferred_delete::destroy(&mut sockets.host).is_ok() =>
        {
            sockets.host.add_veth(&pair)
        }
        outcome => outcome,
    };
    let ends = made.map(|(host, pod)| Ends { host, pod });
    ends.map_err(|error| match error {
        netlink::Error::Refused { .. } => pair_refused(wiring, &error, sockets),
        // The request may have been applied.
        _ => left_behind(pair_refused(wiring, &error, sockets).error, wiring, &error),
    })
}

/// Configures the two ends of the pair.
fn connect(wiring: &Wiring, netns: &Netns, sockets: &mut Sockets, ends: Ends) -> Result<(), Error> {
    let Sockets { host, pod } = sockets;
    let (outside, inside) = (wiring.host_name.as_str(), wiring.pod_name.as_str());
    let doing = |place: &str| format!("wiring {} {place}", wiring.alias);
    let on_host = |host: &mut NetlinkSocket, requests: &[NetlinkRequest]| {
        let enable = || {
            ipv6::enable(&[outside]).map_err(|error| {
                error.advise(
                    "set net.ipv6.conf.default.disable_ipv6 = 0 on this node, or give the network no \
                     IPv6 pod CIDR",
                )
            })
        };
        ipv6::apply_all(host, requests, &doing("on the host"), enable)
    };
    let in_pod = || {
        let enabled = netns.run(|| ipv6::enable(&["lo", inside]));
        enabled
            .map_err(|error| error::namespace(&error))?
            .map_err(|error| {
                error.advise(
                    "the pod's own settings disable IPv6: take net.ipv6.conf.*.disable_ipv6 out of its \
                     sysctls, or give the network no IPv6 pod CIDR",
                )
            })
    };
    on_host(host, &wiring.host_requests(ends.host))?;
    apply_settings(wiring, netns)?;
    let requests = wiring.pod_requests(ends.pod);
    ipv6::apply_all(pod, &requests, &doing("inside the pod"), in_pod)?;
    on_host(host, &wiring.neighbour_requests(ends.host))
}

/// The error of an ADD that could not roll back. Its addresses stay reserved: another pod must not
/// get an address that is still routed to this one.
fn left_behind(error: Error, wiring: &Wiring, failure: &netlink::Error) -> WiringFailure {
    let (host_end, alias) = (&wiring.host_name, &wiring.alias);
    let advice = format!(
        "host interface {host_end} of {alias} may be left, with its routes, as removing it \
         failed too ({failure}): its addresses stay reserved until DEL is called"
    );
    WiringFailure {
        error: with_details(error, &advice),
        may_remain: true,
    }
}

/// Applies the settings of the pod's interface, before it is up.
fn apply_settings(wiring: &Wiring, netns: &Netns) -> Result<(), Error> {
    if wiring.settings.is_empty() {
        return Ok(());
    }
    let apply = || -> Result<(), std::io::Error> {
        for (path, value) in &wiring.settings {
            sysctl::ensure(path, value)?;
        }
        Ok(())
    };
    netns
        .run(apply)
        .map_err(|error| error::namespace(&error))?
        .map_err(|error| {
            Error::new(code::IO, format!("inside the pod: {error}"))
                .advise("check `sysctl` in the flatland section of the conflist")
        })
}

/// The error for a pair that the kernel refused to create; if a name is taken, it names the holder.
fn pair_refused(wiring: &Wiring, error: &netlink::Error, sockets: &mut Sockets) -> WiringFailure {
    let pod_name = &wiring.pod_name;
    if error.errno() != Some(Errno::EEXIST) {
        let doing = format!("making the pair {} and {pod_name}", wiring.host_name);
        return kernel(&doing, error).into();
    }
    let error = match sockets.host.link_by_name(&wiring.host_name) {
        // The addresses stay reserved: the IPAM plugin may have returned the same ones again.
        Ok(Some(holder)) if holder.alias.as_deref() == Some(&wiring.alias) => {
            return WiringFailure {
                error: attached_already(wiring),
                may_remain: true,
            };
        }
        Ok(Some(holder)) => Error::new(
            code::ALREADY_ATTACHED,
            format!(
                "host interface {} is taken, by {}",
                holder.name,
                holder.alias.as_deref().map_or_else(
                    || "something that is not Flatland's".to_owned(),
                    |alias| alias.escape_debug().to_string()
                )
            ),
        )
        .advise("delete the pod that holds it, or the interface if nothing uses it"),
        _ => Error::new(
            code::ALREADY_ATTACHED,
            format!("interface {pod_name} exists already in the pod's network namespace"),
        )
        .advise("the runtime must ask for a name that is free, or call DEL for it first"),
    };
    error.into()
}

fn attached_already(wiring: &Wiring) -> Error {
    let (alias, name) = (&wiring.alias, &wiring.host_name);
    let msg = format!("{alias} is attached already, by host interface {name}");
    Error::new(code::ALREADY_ATTACHED, msg)
        .advise("call DEL first: an interrupted ADD leaves this behind")
}

/// The error with `more` appended to its details.
pub(crate) fn with_details(error: Error, more: &str) -> Error {
    let parts = [error.details.as_str(), more];
    let parts = parts.into_iter().filter(|part| !part.is_empty());
    let details = parts.collect::<Vec<_>>().join("; ");
    error.advise(details)
}
