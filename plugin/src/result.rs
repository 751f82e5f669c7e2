//! The result of ADD: that of the previous plugins of the chain, with our interfaces, addresses and
//! routes added.

use wire::cni::{CniVersion, Dns, IpConfig, Success};
use wire::conf::PluginConfig;

/// The result of the chain so far (SPEC.md, section 5, "ADD Success"). `given` is the result of the
/// IPAM plugin, `made` what we created from it.
pub(crate) fn chain_result(
    version: CniVersion,
    previous: Option<Success>,
    made: Success,
    given: &Success,
) -> Success {
    let ours = Success {
        ips: ips(version, made.ips, &given.ips),
        ..made
    };
    append_to(previous, ours)
}

/// The DNS settings in the result: those of the IPAM plugin if it has any, else those of the
/// configuration.
pub(crate) fn dns(config: &PluginConfig, given: &Success) -> Dns {
    if given.dns == Dns::default() {
        config.dns.clone()
    } else {
        given.dns.clone()
    }
}

/// `ips` of the result. Before 1.0.0 they are those of the IPAM plugin, with its masks and
/// gateways, and with the interface filled in (SPEC.md 0.4.0, "Result"). From 1.0.0 on they are the
/// assigned addresses, with host masks: later plugins treat the whole mask as the pod, as `portmap`
/// does when it masquerades what a pod sends to itself.
fn ips(version: CniVersion, made: Vec<IpConfig>, given: &[IpConfig]) -> Vec<IpConfig> {
    if version >= CniVersion::V1_0_0 {
        return made;
    }
    let both = made.into_iter().zip(given.iter().cloned());
    both.map(|(made, given)| IpConfig {
        interface: made.interface,
        ..given
    })
    .collect()
}

fn append_to(previous: Option<Success>, ours: Success) -> Success {
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

#[cfg(test)]
mod tests;
