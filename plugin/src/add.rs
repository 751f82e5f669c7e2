//! ADD: validate everything, then make things, and on failure take them back in reverse.

use std::os::fd::AsRawFd;

use ipnet::IpNet;
use nix::errno::Errno;
use wire::cni::{Call, Delegate, Error, Success, code};
use wire::conf::PluginConfig;
use wire::netlink::{self, Mac, Request, RouteFilter, Socket};
use wire::netns::Netns;
use wire::sysctl;

use crate::asked;
use crate::failure::{self, kernel};
use crate::host::{self, Node};
use crate::removal;
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
    let plan = Plan::new(call, &config, &mut sockets)?;

    let ipam = Delegate::find(call, &config.ipam_type)?;
    let addresses = ipam.add(call)?;
    plan.wiring(&addresses)
        .and_then(|wiring| {
            make(&wiring, &netns, &mut sockets)?;
            Ok(wiring.result(&netns.path().to_string_lossy(), dns(&config, &addresses)))
        })
        .map_err(|error| after_undoing(error, "giving the addresses back", ipam.del(call)))
}

/// One socket on each side of the pair.
struct Sockets {
    host: Socket,
    pod: Socket,
}

/// All that is known before the addresses are.
struct Plan<'a> {
    call: &'a Call,
    config: &'a PluginConfig,
    node: Node,
    mac: Option<Mac>,
    occupied: Vec<IpNet>,
}

impl<'a> Plan<'a> {
    fn new(call: &'a Call, config: &'a PluginConfig, sockets: &mut Sockets) -> Result<Self, Error> {
        let mac = asked::mac(call)?;
        let routes = sockets.pod.routes(RouteFilter::default());
        let routes = routes.map_err(|error| kernel("looking at the pod's routes", &error))?;
        Ok(Self {
            call,
            config,
            node: host::describe(&mut sockets.host, config)?,
            mac,
            occupied: routes.iter().map(|route| route.dst).collect(),
        })
    }

    /// The wiring for what the IPAM plugin answered.
    fn wiring(&self, addresses: &Success) -> Result<Wiring, Error> {
        let attachment = self.call.environment.attachment()?;
        let wiring = Wiring::new(&Wanted {
            network: &self.call.network,
            attachment,
            ipam: addresses,
            mtu: self.node.mtu,
            node_addresses: &self.node.addresses,
            ipv6: self.node.ipv6,
            mac: self.mac,
            settings: &self.config.sysctl,
            occupied: &self.occupied,
        });
        if wiring.addresses.is_empty() {
            let ipam = &self.config.ipam_type;
            return Err(Error::new(
                code::INVALID_CONFIG,
                format!("IPAM plugin {ipam:?} gave {attachment} no address"),
            )
            .advise(
                "check the `ipam` section of the conflist: the pod would be reachable by nobody",
            ));
        }
        host::check_families(&self.node, &wiring.addresses)?;
        Ok(wiring)
    }
}

/// Makes what the wiring says, or nothing.
fn make(wiring: &Wiring, netns: &Netns, sockets: &mut Sockets) -> Result<(), Error> {
    host::enable_forwarding(&wiring.addresses)?;
    let pair = wiring.pair(netns.as_raw_fd());
    let (host_end, pod_end) = match sockets.host.add_veth(&pair) {
        // The name may be that of an interface that has been removed and is not destroyed yet.
        Err(error)
            if error.errno() == Some(Errno::EEXIST)
                && removal::destroy(&mut sockets.host).is_ok_and(|any| any) =>
        {
            sockets.host.add_veth(&pair)
        }
        outcome => outcome,
    }
    .map_err(|error| pair_refused(wiring, &error, sockets))?;
    let alias = &wiring.alias;
    sockets
        .host
        .apply_all(&wiring.host_requests(host_end))
        .map_err(|error| kernel(&format!("wiring {alias} on the host"), &error))
        .and_then(|()| apply_settings(wiring, netns))
        .and_then(|()| {
            sockets
                .pod
                .apply_all(&wiring.pod_requests(pod_end))
                .map_err(|error| kernel(&format!("wiring {alias} inside the pod"), &error))
        })
        .and_then(|()| carry_packets(&mut sockets.host, host_end))
        .map_err(|error| {
            let undone = sockets
                .host
                .apply_all(&[Request::DelLink { index: host_end }])
                .map_err(|error| kernel("deleting the pair", &error));
            after_undoing(error, "taking the interface back", undone)
        })
}

/// Settings of the pod's interface, which is not up yet.
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
        .map_err(|error| failure::namespace(&error))?
        .map_err(|error| {
            Error::new(code::IO, format!("inside the pod: {error}"))
                .advise("check `sysctl` in the flatland section of the conflist")
        })
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
