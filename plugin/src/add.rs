//! ADD: validate everything, then make things, and on failure take them back in reverse.

use ipnet::IpNet;
use wire::cni::{Call, Delegate, Error, Success, code};
use wire::conf::PluginConfig;
use wire::netlink::{Mac, RouteFilter, Socket};
use wire::netns::Netns;

use crate::asked;
use crate::failure::{self, kernel};
use crate::host::{self, Node};
use crate::make::{Failed, Sockets, make, with_details};
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
    let attached = plan.attach(&addresses, &netns, &mut sockets);
    attached.map_err(|Failed { error, is_left }| {
        let freed = if is_left { Ok(()) } else { ipam.del(call) };
        match freed {
            Ok(()) => error,
            Err(second) => {
                let more = format!("giving the addresses back failed too: {second}");
                with_details(error, &more)
            }
        }
    })
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

    /// Wires the pod with what the IPAM plugin answered.
    fn attach(
        &self,
        addresses: &Success,
        netns: &Netns,
        sockets: &mut Sockets,
    ) -> Result<Success, Failed> {
        let wiring = self.wiring(addresses)?;
        make(&wiring, netns, sockets)?;
        let sandbox = netns.path().to_string_lossy();
        Ok(wiring.result(&sandbox, dns(self.config, addresses)))
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

/// The name resolution in the result: the IPAM plugin's where it has an opinion, else what the
/// configuration says.
fn dns(config: &PluginConfig, addresses: &Success) -> wire::cni::Dns {
    if addresses.dns == wire::cni::Dns::default() {
        config.dns.clone()
    } else {
        addresses.dns.clone()
    }
}
