//! ADD: validates everything, runs the IPAM plugin, wires the pod, and on failure rolls back in
//! reverse.

use ipnet::IpNet;
use wire::add_lock::AddLock;
use wire::cni::{Call, CniCommand, Delegate, Error, Success, code};
use wire::conf::PluginConfig;
use wire::netlink::{Mac, NetlinkSocket};
use wire::netns::Netns;
use wire::pod_link::{self, is_removed};

use crate::apply::{
    Ends, Sockets, WiringFailure, apply, make_pair, remove_pair, remove_unclaimed, with_details,
};
use crate::error::{self, kernel};
use crate::node::{self, NodeProperties};
use crate::requested_mac;
use crate::result::{chain_result, dns};
use crate::wiring::{Wiring, WiringInput};
use crate::{ipam, policy};

/// Attaches the pod and returns the result. The veth pair does not depend on the addresses: it is
/// created while the IPAM plugin runs, if that is another program.
pub(crate) fn add(call: &Call) -> Result<Success, Error> {
    let config = PluginConfig::parse(&call.config)?;
    let netns = error::open_pod(call.environment.netns()?)?;
    let mac = requested_mac::mac(call)?;
    let previous = call.prev_result()?;
    let ipam = ipam::find(call, &config.ipam_type)?;
    policy::require_rules(&config)?;
    let _lock = lock_attachment(call)?;
    let running = ipam.start(call, CniCommand::Add)?;

    let prepare = || PreparedAdd::new(call, &config, &netns, mac);
    let prepared = (!running.has_failed()).then(prepare);
    let given = match running.result(call.version) {
        Ok(given) => given,
        Err(error) => return Err(ipam_refused(roll_back_pair(error, prepared), call, &ipam)),
    };
    let attached = match prepared {
        // An ADD that was killed may have left this pair.
        Some(Err(failed)) if failed.error.code == code::ALREADY_ATTACHED => remove_unclaimed(call)
            .map_err(WiringFailure::from)
            .and_then(|()| prepare()),
        prepared => prepared.unwrap_or_else(prepare),
    }
    .and_then(|prepared| prepared.attach(&given));
    match attached {
        Ok(made) => Ok(chain_result(call.version, previous, made, &given)),
        Err(WiringFailure {
            error,
            may_remain: is_left,
        }) if is_left => Err(error),
        Err(WiringFailure { error, .. }) => Err(release_addresses(error, call, &ipam)),
    }
}

/// Locks the attachment for this ADD. The IPAM plugin may give two concurrent ADDs the same
/// addresses: the rollback of one would free those of the other.
fn lock_attachment(call: &Call) -> Result<AddLock, Error> {
    let attachment = call.environment.attachment()?;
    AddLock::acquire(&pod_link::host_interface_name(&call.network, attachment)).ok_or_else(|| {
        let msg = format!("another ADD of {attachment} is under way");
        Error::new(code::TRY_AGAIN, msg).advise("a runtime calls one after the other")
    })
}

/// Rolls back what was created while the IPAM plugin ran, because of its `error`.
fn roll_back_pair(error: Error, prepared: Option<Result<PreparedAdd<'_>, WiringFailure>>) -> Error {
    match prepared {
        None => error,
        Some(Ok(mut prepared)) => prepared.roll_back(error).error,
        Some(Err(failed)) => {
            let more = format!("making the interface failed too: {}", failed.error);
            with_details(error, &more)
        }
    }
}

/// What is created before the addresses are known.
struct PreparedAdd<'a> {
    plan: AddPlan<'a>,
    netns: &'a Netns,
    sockets: Sockets,
    /// The wiring without addresses.
    bare: Wiring,
    ends: Ends,
}

impl<'a> PreparedAdd<'a> {
    fn new(
        call: &'a Call,
        config: &'a PluginConfig,
        netns: &'a Netns,
        mac: Option<Mac>,
    ) -> Result<Self, WiringFailure> {
        let mut sockets = Sockets::open(netns)?;
        let plan = AddPlan::new(call, config, &mut sockets, mac)?;
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

    /// Wires the pod with the addresses of the IPAM plugin.
    fn attach(mut self, addresses: &Success) -> Result<Success, WiringFailure> {
        let wiring = match self.plan.checked(addresses) {
            Ok(wiring) => wiring,
            Err(error) => return Err(self.roll_back(error)),
        };
        apply(&wiring, self.netns, &mut self.sockets, self.ends)?;
        let sandbox = self.netns.path().to_string_lossy();
        Ok(wiring.result(&sandbox, dns(self.plan.config, addresses)))
    }

    /// Removes the pair because of `error`.
    fn roll_back(&mut self, error: Error) -> WiringFailure {
        remove_pair(error, &self.bare, &mut self.sockets, self.ends)
    }
}

/// The inputs of the wiring that are known before the addresses.
struct AddPlan<'a> {
    call: &'a Call,
    config: &'a PluginConfig,
    node: NodeProperties,
    mac: Option<Mac>,
    existing_routes: Vec<IpNet>,
}

impl<'a> AddPlan<'a> {
    fn new(
        call: &'a Call,
        config: &'a PluginConfig,
        sockets: &mut Sockets,
        mac: Option<Mac>,
    ) -> Result<Self, Error> {
        let routes = sockets.pod.routes(None);
        let routes = routes.map_err(|error| kernel("looking at the pod's routes", &error))?;
        Ok(Self {
            call,
            config,
            node: node::describe(&mut sockets.host, config)?,
            mac,
            existing_routes: routes.iter().map(|route| route.dst).collect(),
        })
    }

    /// The wiring for the result of the IPAM plugin.
    fn wiring(&self, addresses: &Success) -> Result<Wiring, Error> {
        Ok(Wiring::new(&WiringInput {
            network: &self.call.network,
            attachment: self.call.environment.attachment()?,
            ipam: addresses,
            mtu: self.node.mtu,
            node_addresses: &self.node.addresses,
            ipv6: self.node.ipv6,
            mac: self.mac,
            settings: &self.config.sysctl,
            existing_routes: &self.existing_routes,
        }))
    }

    /// As [`AddPlan::wiring`], with a check of the addresses.
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
                "check the `ipam` section of the conflist: without an address the pod is unreachable",
            ));
        }
        node::check_families(&self.node, &wiring.addresses)?;
        Ok(wiring)
    }
}

const ADDRESSES_STAY: &str = "its addresses stay reserved until DEL is called";

/// The error of an ADD whose IPAM plugin failed. Its DEL removes what it may have left (SPEC.md,
/// section 4), unless the attachment had its addresses before this ADD.
fn ipam_refused(error: Error, call: &Call, ipam: &Delegate) -> Error {
    match error.code {
        code::ALREADY_ATTACHED => error,
        _ => release_addresses(error, call, ipam),
    }
}

/// Frees the addresses of an ADD that was rolled back, because of `error`.
///
/// They stay reserved if the attachment has an interface: an earlier ADD made it for a running pod,
/// and the IPAM plugin may have returned the addresses of that pod.
fn release_addresses(error: Error, call: &Call, ipam: &Delegate) -> Error {
    let earlier = NetlinkSocket::open()
        .map_err(|error| kernel("cannot reach the kernel", &error))
        .and_then(|mut host| node::host_end_of(call, &mut host))
        .map(|link| link.filter(|link| !is_removed(link)));
    let why = match earlier {
        Ok(None) => match ipam.del(call) {
            Ok(()) => return error,
            Err(second) => format!("giving the addresses back failed too: {second}"),
        },
        Ok(Some(link)) => format!(
            "host interface {} is an earlier ADD's: {ADDRESSES_STAY}",
            link.name
        ),
        Err(second) => {
            format!("cannot check for an earlier ADD ({second}): {ADDRESSES_STAY}")
        }
    };
    with_details(error, &why)
}
