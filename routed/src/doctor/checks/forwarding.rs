//! Check: does the kernel forward packets, for each IP family of the pod CIDRs and on each link on the
//! way of pods' packets? And does the node still learn from router advertisements?

use crate::doctor::context::CheckContext;
use crate::doctor::finding::Finding;
use crate::doctor::setting::Setting;
use crate::host::link_settings::{self, Drift};
use crate::kernel::Netlink;
use crate::text::list;

const CHECK: &str = "forwarding";

pub(super) fn check(context: &CheckContext<'_>) -> Vec<Finding> {
    let cidrs = context.pod_cidrs();
    let v4 = cidrs.is_empty() || cidrs.iter().any(|cidr| cidr.addr().is_ipv4());
    let v6 = cidrs.iter().any(|cidr| cidr.addr().is_ipv6());
    let mut settings = Vec::new();
    settings.extend(v4.then(|| Setting::read("net/ipv4/ip_forward")));
    settings.extend(v6.then(|| Setting::read("net/ipv6/conf/all/forwarding")));
    let drift = context.conflist.as_ref().map_or(Ok(vec![]), |conflist| {
        let network = conflist.ipam().into();
        link_settings::drift_now(&mut Netlink::default(), &network, context.node_addresses)
    });
    match drift {
        Ok(drift) => vec![examine(&settings, &drift)],
        Err(error) => vec![
            examine(&settings, &[]),
            Finding::unknown(CHECK, format!("cannot list the links: {error}")),
        ],
    }
}

/// `drift` are the settings of links that differ from what pods need.
fn examine(settings: &[Setting], drift: &[Drift]) -> Finding {
    let values: Vec<_> = settings.iter().map(Setting::render).collect();
    let evidence = list(&values);
    let is_on = |setting: &&Setting| setting.value.as_deref().is_ok_and(|value| value != "0");
    let off = settings.iter().filter(|setting| !is_on(setting));
    let commands: Vec<_> = off
        .map(|setting| format!("sysctl -w {}=1", setting.dotted()))
        .collect();
    if !commands.is_empty() {
        // That switches it on for all links, and `routed` looks after router advertisements.
        return Finding::broken(CHECK, evidence).fix(format!(
            "routed turns it on when it starts, if it can write /proc/sys; by hand: {}, and the same \
             in /etc/sysctl.d if something turns it off again",
            commands.join(" && ")
        ));
    }
    if drift.is_empty() {
        return Finding::ok(CHECK, evidence);
    }
    let texts: Vec<_> = drift.iter().map(describe).collect();
    let commands: Vec<_> = drift.iter().map(command).collect();
    let is_cut_off = |drift: &Drift| matches!(drift, Drift::Forwarding { .. });
    let finding = if drift.iter().any(is_cut_off) {
        Finding::broken
    } else {
        Finding::warning
    };
    finding(CHECK, format!("{evidence}, but {}", texts.join("; "))).fix(format!(
        "routed does it within three minutes, and logs it; by hand: {}. If it comes back: \
         systemd-networkd, NetworkManager or a file in /etc/sysctl.d sets it",
        commands.join(" && ")
    ))
}

fn describe(drift: &Drift) -> String {
    match drift {
        Drift::Forwarding { link } => {
            let setting = wire::sysctl::dotted(&drift.setting().0);
            format!("{setting} = 0: what comes in by {link} is not forwarded to or from pods")
        }
        Drift::Advertisements { link, .. } => format!(
            "{link} ignores router advertisements, because it forwards and its accept_ra is not 2: IPv6 \
             addresses and default routes that the node has from them are gone, or go when their \
             lifetime ends"
        ),
    }
}

fn command(drift: &Drift) -> String {
    let (name, value) = drift.setting();
    format!("sysctl -w {}={value}", wire::sysctl::dotted(&name))
}

#[cfg(test)]
mod tests;
