//! Verdicts. Pure functions of the facts.

mod etcd;
pub(crate) mod programs;
#[cfg(test)]
mod tests;

use ipnet::IpNet;

use crate::doctor::{Finding, HostFacts, Setting, Severity};
use crate::rib::decide::overlap;
use crate::text::list;

const NETWORKD_FIX: &str = "write \"[Network]\" and \"ManageForeignRoutes=no\", a line each, to \
                            /etc/systemd/networkd.conf.d/50-flatland.conf, then systemctl restart \
                            systemd-networkd";

const NETWORK_MANAGER_FIX: &str = "write \"[keyfile]\" and \
                                   \"unmanaged-devices=interface-name:flat*\", a line each, to \
                                   /etc/NetworkManager/conf.d/flatland.conf, then nmcli general \
                                   reload";

/// All verdicts, in the order in which things matter.
pub(crate) fn examine(facts: &HostFacts) -> Vec<Finding> {
    let mut findings = vec![conflist(facts), programs::examine(facts), forwarding(facts)];
    findings.extend(firewall(facts));
    findings.extend([
        rp_filter(facts),
        networkd(facts),
        network_manager(facts),
        overlapping(facts),
        foreign_routes(facts),
        mtu(facts),
    ]);
    findings.extend(etcd::examine(facts));
    findings
}

fn finding(check: &'static str, verdict: Severity, evidence: impl Into<String>) -> Finding {
    Finding {
        check,
        verdict,
        evidence: evidence.into(),
        fix: None,
    }
}

impl Finding {
    fn fix(self, fix: impl Into<String>) -> Self {
        Self {
            fix: Some(fix.into()),
            ..self
        }
    }
}

fn conflist(facts: &HostFacts) -> Finding {
    let check = "conflist";
    match &facts.pod_cidrs {
        Ok(cidrs) => finding(check, Severity::Ok, format!("pod CIDRs {}", list(cidrs))),
        Err(why) => finding(check, Severity::Unknown, why.clone())
            .fix("name one with --conflist: what depends on pod CIDRs and etcd is left out"),
    }
}

fn forwarding(facts: &HostFacts) -> Finding {
    let check = "forwarding";
    let shown: Vec<_> = facts.forwarding.iter().map(shown).collect();
    let evidence = list(&shown);
    let off = |setting: &&Setting| setting.value.as_deref() != Ok("1");
    let off: Vec<_> = facts.forwarding.iter().filter(off).collect();
    if off.is_empty() {
        return finding(check, Severity::Ok, evidence);
    }
    let commands: Vec<_> = off
        .iter()
        .map(|setting| format!("sysctl -w {}=1", setting.name.replace('/', ".")))
        .collect();
    finding(check, Severity::Broken, evidence).fix(format!(
        "routed switches it on when it starts and can write /proc/sys; by hand: {}, and the same in \
         /etc/sysctl.d if something switches it off again",
        commands.join(" && ")
    ))
}

/// `net.ipv4.ip_forward = 0`, or why that cannot be told.
fn shown(setting: &Setting) -> String {
    match &setting.value {
        Ok(value) => format!("{} = {value}", setting.name.replace('/', ".")),
        Err(why) => why.clone(),
    }
}

/// One for each chain that drops.
fn firewall(facts: &HostFacts) -> Vec<Finding> {
    let check = "FORWARD policy";
    let survey = match &facts.firewall {
        Ok(survey) => survey,
        Err(why) => {
            return vec![
                finding(check, Severity::Unknown, why.clone())
                    .fix("run as root, on a kernel with nf_tables"),
            ];
        }
    };
    let walls = survey.blocking_chains.iter().map(|wall| {
        let chain = &wall.chain;
        if wall.passes {
            let text = format!("chain {chain} drops, and rules in it let pods pass");
            finding(check, Severity::Ok, text)
        } else {
            let text = format!("chain {chain} drops what pods send and get");
            finding(check, Severity::Broken, text).fix(wall.fix.clone())
        }
    });
    let hidden = survey.hidden.iter();
    let hidden = hidden.map(|why| finding(check, Severity::Unknown, why.clone()));
    let all: Vec<_> = walls.chain(hidden).collect();
    if all.is_empty() {
        return vec![finding(
            check,
            Severity::Ok,
            "no chain drops what is forwarded",
        )];
    }
    all
}

/// The kernel takes the larger of the setting of all links and of the one (ip-sysctl.rst).
fn rp_filter(facts: &HostFacts) -> Finding {
    let check = "rp_filter";
    let value = |setting: &Setting| setting.value.as_ref().ok()?.parse::<u8>().ok();
    let Some((all, links)) = facts.rp_filter.split_first() else {
        return finding(check, Severity::Unknown, "nothing is known of it");
    };
    let Some(of_all) = value(all) else {
        return finding(check, Severity::Unknown, shown(all));
    };
    let strict: Vec<_> = links
        .iter()
        .filter(|link| of_all.max(value(link).unwrap_or_default()) == 1)
        .filter_map(|link| link.name.split('/').nth(3))
        .collect();
    let is_guarded = facts
        .firewall
        .as_ref()
        .is_ok_and(|survey| survey.is_guarded);
    if of_all == 2 && !is_guarded {
        return finding(
            check,
            Severity::Warning,
            format!(
                "{}: it is loose on all links, and pods can forge addresses",
                shown(all)
            ),
        )
        .fix(
            "routed's packet filter keeps them from it while its table is there (nft list table \
             inet flatland); by hand: sysctl -w net.ipv4.conf.all.rp_filter=0",
        );
    }
    if strict.len() > 1 {
        let text = format!("strict on {}", strict.join(", "));
        return finding(check, Severity::Warning, text).fix(
            "packets of peers that come in by another link than the way back to them are dropped: \
             where nodes have several links in common, make it loose on these (2)",
        );
    }
    let text = match strict.first() {
        Some(link) => format!("{}; strict on {link}", shown(all)),
        None => shown(all),
    };
    finding(check, Severity::Ok, text)
}

fn networkd(facts: &HostFacts) -> Finding {
    let check = "systemd-networkd";
    let Some(networkd) = &facts.networkd else {
        return finding(check, Severity::Ok, "does not run");
    };
    let said = networkd.said_in.as_ref();
    let said = said.map_or("the default".to_owned(), |path| path.display().to_string());
    let value = if networkd.manages_foreign_routes {
        "yes"
    } else {
        "no"
    };
    let text = format!("runs with ManageForeignRoutes={value} ({said})");
    if networkd.manages_foreign_routes {
        let text = format!("{text}: it takes away pods' routes when it configures a link anew");
        finding(check, Severity::Broken, text).fix(NETWORKD_FIX)
    } else {
        finding(check, Severity::Ok, text)
    }
}

fn network_manager(facts: &HostFacts) -> Finding {
    let check = "NetworkManager";
    match &facts.network_manager {
        None => finding(check, Severity::Ok, "does not run"),
        Some(manager) => match &manager.said_in {
            Some(path) => finding(
                check,
                Severity::Ok,
                format!("runs, and leaves flat* alone ({})", path.display()),
            ),
            None => finding(
                check,
                Severity::Warning,
                "runs, and no file tells it to leave the interfaces of pods (flat*) alone",
            )
            .fix(NETWORK_MANAGER_FIX),
        },
    }
}

fn overlapping(facts: &HostFacts) -> Finding {
    let check = "overlapping CIDRs";
    let networks = match &facts.networks {
        Ok(networks) => networks,
        Err(why) => return finding(check, Severity::Unknown, why.clone()),
    };
    let pods = facts.pod_cidrs.as_deref().unwrap_or_default();
    let pods = pods.iter().map(|cidr| ("pod CIDR", *cidr));
    let services = facts.service_cidrs.iter();
    let services: Vec<_> = services.map(|cidr| ("service CIDR", *cidr)).collect();
    let ranges: Vec<_> = pods.chain(services.iter().copied()).collect();
    let mut found = Vec::new();
    for (kind, cidr) in &ranges {
        for (link, own) in networks {
            if overlap(cidr, &IpNet::new_assert(own.network(), own.prefix())) {
                found.push(format!("{kind} {cidr} and {own}, a network of link {link}"));
            }
        }
        for (other, service) in services.iter().filter(|_| *kind == "pod CIDR") {
            if overlap(cidr, service) {
                found.push(format!("{kind} {cidr} and {other} {service}"));
            }
        }
    }
    if !found.is_empty() {
        return finding(check, Severity::Broken, found.join("; "))
            .fix("choose pod and service CIDRs that no node, router or each other uses");
    }
    let hint = if services.is_empty() {
        " (service CIDRs are not known here: give them with --service-cidr)"
    } else {
        ""
    };
    let compared = ranges.iter().map(|(_, cidr)| cidr).collect::<Vec<_>>();
    let text = format!("none with {}{hint}", list(&compared));
    finding(check, Severity::Ok, text)
}

/// A route inside a pod CIDR is more specific than a peer's, or in its place.
fn foreign_routes(facts: &HostFacts) -> Finding {
    let check = "foreign routes";
    let routes = match &facts.routes {
        Ok(routes) => routes,
        Err(why) => return finding(check, Severity::Unknown, why.clone()),
    };
    let pods = facts.pod_cidrs.as_deref().unwrap_or_default();
    let takes_pods = |dst: &IpNet| pods.iter().any(|cidr| cidr.contains(dst));
    let found = routes.iter().filter(|(dst, _)| takes_pods(dst));
    let found: Vec<_> = found.map(|(_, text)| text.as_str()).collect();
    if found.is_empty() {
        return finding(check, Severity::Ok, "none leads into a pod CIDR");
    }
    finding(check, Severity::Broken, found.join("; ")).fix(
        "they take packets to pods elsewhere: remove what made them, such as another pod network \
         of this node, and then the routes (ip route del)",
    )
}

fn mtu(facts: &HostFacts) -> Finding {
    let check = "MTU";
    match (&facts.uplink, facts.mtu) {
        (Err(why), 0) => finding(check, Severity::Broken, why.clone())
            .fix("give the node's address with --node-address, or an \"mtu\" in the conflist"),
        (Err(why), mtu) => finding(check, Severity::Unknown, format!("mtu {mtu}, but {why}")),
        (Ok((link, uplink)), 0) => {
            finding(check, Severity::Ok, format!("{uplink}, that of {link}"))
        }
        (Ok((link, uplink)), mtu) if mtu > *uplink => finding(
            check,
            Severity::Broken,
            format!("the conflist says {mtu}, and {link} carries {uplink}"),
        )
        .fix(format!(
            "large packets to other nodes are lost: leave out \"mtu\", or make it {uplink} or less"
        )),
        (Ok((link, uplink)), mtu) => finding(
            check,
            Severity::Ok,
            format!("{mtu} of the conflist, {uplink} of {link}"),
        ),
    }
}
