//! ADD: validate everything, then make things, and on failure take them back in reverse.

use ipnet::IpNet;
use wire::cni::{Call, Command, Delegate, Dns, Error, IpConfig, Success, code};
use wire::conf::PluginConfig;
use wire::netlink::{Mac, RouteFilter};
use wire::netns::Netns;
use wire::node;

use crate::asked;
use crate::failure::{self, kernel};
use crate::host::{self, Node};
use crate::make::{
    Ends, Failed, Sockets, make, make_pair, remove_unclaimed, take_back, with_details,
};
use crate::wiring::{Wanted, Wiring};

/// Attaches the pod and returns what was made. The IPAM plugin is a process of its own: the pair,
/// which is the same whatever the addresses are, is made while it runs.
pub(crate) fn add(call: &Call) -> Result<Success, Error> {
    let config = PluginConfig::parse(&call.config)?;
    let netns =
        Netns::open(call.environment.netns()?).map_err(|error| failure::namespace(&error))?;
    let mac = asked::mac(call)?;
    let previous = call.prev_result()?;
    let ipam = Delegate::find(call, &config.ipam_type)?;
    let running = ipam.start(call, Command::Add)?;

    let prepare = || Prepared::new(call, &config, &netns, mac);
    let prepared = prepare();
    let addresses = match running.result(call.version) {
        Ok(addresses) => addresses,
        Err(error) => return Err(refused(error, call, &ipam, &netns, prepared)),
    };
    let attached = match prepared {
        // The IPAM plugin decides between two ADDs of one attachment: who has made a pair besides
        // has lost, or was killed.
        Err(failed) if failed.error.code == code::ALREADY_ATTACHED => remove_unclaimed(call)
            .map_err(Failed::from)
            .and_then(|()| prepare()),
        prepared => prepared,
    }
    .and_then(|prepared| prepared.attach(&addresses));
    attached
        .map(|ours| following(previous, ours))
        .map_err(|Failed { error, is_left }| {
            if is_left {
                error
            } else {
                after_freeing(error, ipam.del(call))
            }
        })
}

/// The error of an ADD to which the IPAM plugin gave no address, with everything taken back.
fn refused(
    error: Error,
    call: &Call,
    ipam: &Delegate,
    netns: &Netns,
    prepared: Result<Prepared<'_>, Failed>,
) -> Error {
    match prepared {
        Ok(mut prepared) => {
            let error = prepared.undo(error).error;
            after_refusal(error, call, ipam, &mut prepared.sockets)
        }
        Err(failed) => {
            let more = format!("making the interface failed too: {}", failed.error);
            let error = with_details(error, &more);
            match Sockets::open(netns) {
                Ok(mut sockets) => after_refusal(error, call, ipam, &mut sockets),
                Err(_) => error,
            }
        }
    }
}

/// All that is there before the addresses are.
struct Prepared<'a> {
    plan: Plan<'a>,
    netns: &'a Netns,
    sockets: Sockets,
    /// The wiring without addresses.
    bare: Wiring,
    ends: Ends,
}

impl<'a> Prepared<'a> {
    fn new(
        call: &'a Call,
        config: &'a PluginConfig,
        netns: &'a Netns,
        mac: Option<Mac>,
    ) -> Result<Self, Failed> {
        let mut sockets = Sockets::open(netns)?;
        let plan = Plan::new(call, config, &mut sockets, mac)?;
        let bare = plan.wiring(&Success::default())?;
        let ends = make_pair(&bare, netns, &mut sockets)?;
        Ok(Self {
            plan,
            netns,
            sockets,
            bare,
            ends,
        })
    }

    /// Wires the pod with what the IPAM plugin answered.
    fn attach(mut self, addresses: &Success) -> Result<Success, Failed> {
        let wiring = match self.plan.checked(addresses) {
            Ok(wiring) => wiring,
            Err(error) => return Err(self.undo(error)),
        };
        make(&wiring, self.netns, &mut self.sockets, self.ends)?;
        let sandbox = self.netns.path().to_string_lossy();
        Ok(wiring.result(&sandbox, dns(self.plan.config, addresses)))
    }

    /// Takes the pair back because of `error`.
    fn undo(&mut self, error: Error) -> Failed {
        take_back(error, &self.bare, &mut self.sockets, self.ends)
    }
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
    fn new(
        call: &'a Call,
        config: &'a PluginConfig,
        sockets: &mut Sockets,
        mac: Option<Mac>,
    ) -> Result<Self, Error> {
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
        Ok(Wiring::new(&Wanted {
            network: &self.call.network,
            attachment: self.call.environment.attachment()?,
            ipam: addresses,
            mtu: self.node.mtu,
            node_addresses: &self.node.addresses,
            ipv6: self.node.ipv6,
            mac: self.mac,
            settings: &self.config.sysctl,
            occupied: &self.occupied,
        }))
    }

    /// The wiring, if a pod can be reached by it.
    fn checked(&self, addresses: &Success) -> Result<Wiring, Error> {
        let wiring = self.wiring(addresses)?;
        if wiring.addresses.is_empty() {
            let ipam = &self.config.ipam_type;
            let attachment = self.call.environment.attachment()?;
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

/// The name resolution in the result: the IPAM plugin's where it has an opinion, else what the
/// configuration says.
fn dns(config: &PluginConfig, addresses: &Success) -> Dns {
    if addresses.dns == Dns::default() {
        config.dns.clone()
    } else {
        addresses.dns.clone()
    }
}

/// The result of the chain: what earlier plugins made, as it came, and what we made (SPEC.md,
/// section 5, "ADD Success").
fn following(previous: Option<Success>, ours: Success) -> Success {
    let Some(mut all) = previous else {
        return ours;
    };
    let first = all.interfaces.len();
    all.interfaces.extend(ours.interfaces);
    all.ips.extend(ours.ips.into_iter().map(|ip| IpConfig {
        interface: ip.interface.map(|index| first + index),
        ..ip
    }));
    all.routes.extend(ours.routes);
    if all.dns == Dns::default() {
        all.dns = ours.dns;
    }
    all
}

/// An ADD of the IPAM plugin that failed may have left something, which its DEL takes back (SPEC.md,
/// section 4). Not where something of the attachment is there: that would give away the addresses
/// of a pod that runs, whose ADD was called twice, or addresses that still have a route.
fn after_refusal(error: Error, call: &Call, ipam: &Delegate, sockets: &mut Sockets) -> Error {
    let attachment = call.environment.attachment();
    let is_new = attachment.is_ok_and(|attachment| {
        let host_name = node::host_interface(&call.network, attachment);
        matches!(sockets.pod.link_by_name(attachment.interface()), Ok(None))
            && matches!(sockets.host.link_by_name(&host_name), Ok(None))
    });
    if error.code == code::ALREADY_ATTACHED || !is_new {
        return error;
    }
    after_freeing(error, ipam.del(call))
}

/// The error, with what went wrong in giving the addresses back added to it.
fn after_freeing(error: Error, freed: Result<(), Error>) -> Error {
    match freed {
        Ok(()) => error,
        Err(second) => {
            let more = format!("giving the addresses back failed too: {second}");
            with_details(error, &more)
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use wire::cni::Version;

    use super::*;

    fn result(interface: &str, address: &str, dns: &[&str]) -> Success {
        let text = json!({
            "cniVersion": "1.1.0",
            "interfaces": [{ "name": "host" }, { "name": interface, "sandbox": "/run/netns/a" }],
            "ips": [{ "address": address, "interface": 1 }],
            "routes": [{ "dst": "0.0.0.0/0" }],
            "dns": { "nameservers": dns },
        });
        Success::parse(&text, Version::V1_1_0).unwrap()
    }

    #[test]
    fn what_earlier_plugins_made_stays_as_it_was_before_what_we_made() {
        let earlier = result("net1", "10.7.0.2/24", &["10.7.0.1"]);
        let ours = result("eth0", "10.244.7.3/32", &["10.244.0.1"]);
        let all = following(Some(earlier.clone()), ours.clone());
        assert_eq!(all.interfaces[..2], earlier.interfaces);
        assert_eq!(all.interfaces[2..], ours.interfaces);
        assert_eq!(all.ips[0], earlier.ips[0]);
        assert_eq!(
            (all.ips[1].address, all.ips[1].interface),
            (ours.ips[0].address, Some(3))
        );
        assert_eq!(all.routes.len(), 2);
        assert_eq!(all.dns, earlier.dns);
    }

    #[test]
    fn without_an_earlier_plugin_or_its_dns_ours_counts() {
        let ours = result("eth0", "10.244.7.3/32", &["10.244.0.1"]);
        assert_eq!(following(None, ours.clone()), ours);
        let earlier = result("net1", "10.7.0.2/24", &[]);
        assert_eq!(following(Some(earlier), ours.clone()).dns, ours.dns);
    }
}
