//! ADD: validate everything, then make things, and on failure take them back in reverse.

use std::os::fd::AsRawFd;

use nix::errno::Errno;
use wire::cni::{Call, Delegate, Error, Success, code};
use wire::conf::PluginConfig;
use wire::netlink::{self, Request, Socket};
use wire::netns::Netns;

use crate::failure::{self, kernel};
use crate::host::{self, Node};
use crate::wiring::{Wanted, Wiring};

/// Attaches the pod and returns what was made.
pub(crate) fn add(call: &Call) -> Result<Success, Error> {
    let config = PluginConfig::parse(&call.config)?;
    let netns =
        Netns::open(call.environment.netns()?).map_err(|error| failure::namespace(&error))?;
    let mut sockets = Sockets {
        host: Socket::open().map_err(|error| kernel("cannot reach the kernel", &error))?,
        pod: netns.socket().map_err(|error| failure::namespace(&error))?,
    };
    let node = host::describe(&mut sockets.host, &config)?;

    let ipam = Delegate::find(call, &config.ipam_type)?;
    let addresses = ipam.add(call)?;
    attach(call, &config, &node, &addresses, &netns, &mut sockets)
        .map_err(|error| after_undoing(error, "giving the addresses back", ipam.del(call)))
}

/// One socket on each side of the pair.
struct Sockets {
    host: Socket,
    pod: Socket,
}

/// Everything between the IPAM plugin's answer and the result. Leaves no interface behind when it
/// fails.
fn attach(
    call: &Call,
    config: &PluginConfig,
    node: &Node,
    addresses: &Success,
    netns: &Netns,
    sockets: &mut Sockets,
) -> Result<Success, Error> {
    let attachment = call.environment.attachment()?;
    let wiring = Wiring::new(&Wanted {
        network: &call.network,
        attachment,
        ipam: addresses,
        mtu: node.mtu,
        node_addresses: &node.addresses,
        ipv6: node.ipv6,
    });
    if wiring.addresses.is_empty() {
        return Err(Error::new(
            code::INVALID_CONFIG,
            format!(
                "IPAM plugin {:?} gave {attachment} no address",
                config.ipam_type
            ),
        )
        .advise("check the `ipam` section of the conflist: the pod would be reachable by nobody"));
    }
    host::check_families(node, &wiring.addresses)?;
    host::enable_forwarding(&wiring.addresses)?;

    let pair = wiring.pair(netns.as_raw_fd());
    let (host_end, pod_end) = sockets
        .host
        .add_veth(&pair)
        .map_err(|error| pair_refused(&wiring, &error, sockets))?;
    let made = sockets
        .host
        .apply_all(&wiring.host_requests(host_end))
        .map_err(|error| kernel(&format!("wiring {attachment} on the host"), &error))
        .and_then(|()| {
            sockets
                .pod
                .apply_all(&wiring.pod_requests(pod_end))
                .map_err(|error| kernel(&format!("wiring {attachment} inside the pod"), &error))
        })
        .and_then(|()| carry_packets(&mut sockets.host, host_end));
    match made {
        Ok(()) => Ok(wiring.result(&netns.path().to_string_lossy(), dns(config, addresses))),
        Err(error) => {
            let undone = sockets
                .host
                .apply_all(&[Request::DelLink { index: host_end }])
                .map_err(|error| kernel("deleting the pair", &error));
            Err(after_undoing(error, "taking the interface back", undone))
        }
    }
}

/// Makes the kernel notice now that the host end has a carrier. It would some milliseconds later,
/// on a busy machine many, and would drop the pod's first packets until then. Being asked about
/// the link is what makes it (`linkwatch_sync_dev` in `rtnl_getlink`, from Linux 6.8).
fn carry_packets(host: &mut Socket, host_end: u32) -> Result<(), Error> {
    host.link_by_index(host_end)
        .map(drop)
        .map_err(|error| kernel("asking for the host end", &error))
}

/// The name resolution in the result: the IPAM plugin's where it has an opinion, else what the
/// configuration says.
fn dns(config: &PluginConfig, addresses: &Success) -> wire::cni::Dns {
    if addresses.dns == wire::cni::Dns::default() {
        config.dns.clone()
    } else {
        addresses.dns.clone()
    }
}

/// Why the kernel did not make the pair: a name that is taken is told apart by who holds it.
fn pair_refused(wiring: &Wiring, error: &netlink::Error, sockets: &mut Sockets) -> Error {
    let pod_name = &wiring.pod_name;
    if error.errno() != Some(Errno::EEXIST) {
        return kernel(
            &format!("making the pair {} and {pod_name}", wiring.host_name),
            error,
        );
    }
    match sockets.host.link_by_name(&wiring.host_name) {
        Ok(Some(holder)) if holder.alias.as_deref() == Some(&wiring.alias) => Error::new(
            code::ALREADY_ATTACHED,
            format!(
                "{} is attached already, by host interface {}",
                wiring.alias, holder.name
            ),
        )
        .advise("call DEL first: an ADD that was cut short leaves this behind"),
        Ok(Some(holder)) => Error::new(
            code::ALREADY_ATTACHED,
            format!(
                "host interface {} is taken, by {}",
                holder.name,
                holder
                    .alias
                    .as_deref()
                    .unwrap_or("something that is not Flatland's")
            ),
        )
        .advise("delete the pod that holds it, or the interface if nothing uses it"),
        _ => Error::new(
            code::ALREADY_ATTACHED,
            format!("interface {pod_name} exists already in the pod's network namespace"),
        )
        .advise("the runtime must ask for a name that is free, or call DEL for it first"),
    }
}

/// The error, with what went wrong in taking things back added to it.
fn after_undoing(error: Error, doing: &str, undone: Result<(), Error>) -> Error {
    match undone {
        Ok(()) => error,
        Err(second) => {
            let details = [
                error.details.as_str(),
                &format!("{doing} failed too: {second}"),
            ]
            .iter()
            .filter(|part| !part.is_empty())
            .copied()
            .collect::<Vec<_>>()
            .join("; ");
            Error { details, ..error }
        }
    }
}
