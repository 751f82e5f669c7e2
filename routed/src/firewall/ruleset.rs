//! The ruleset: table `inet flatland` with the masquerade rule and the spoof guard. A pure function
//! of the conflist, this node's subnets and the nodes' addresses.

use std::net::IpAddr;

use ipnet::IpNet;
use wire::nft::{
    AddressField, Direction, Hook, IpVersion, NftChain, NftRule, NftSet, NftTable, NftVerdict, Term,
};
use wire::spoof_guard;

/// The prefix of the host interfaces' names (`wire::pod_link::host_interface`).
const POD_INTERFACE_PREFIX: &str = "flat";

/// Destinations that are never masqueraded: link-local and multicast addresses (RFC 3927, RFC 5771,
/// RFC 4291), which no router forwards.
const NEVER_OUTSIDE: [&str; 4] = ["169.254.0.0/16", "224.0.0.0/4", "fe80::/10", "ff00::/8"];

/// The limit of neighbour solicitations from link-local addresses, for all pods of a node: per
/// second, and in a burst. Each makes the kernel add a neighbour entry. The kernel never drops the
/// entries of the last five seconds (`neigh_forced_gc`), refuses new ones above 1,024 and starts to
/// drop at 512. This limit stays far below that; a guest sends one or two a minute.
const SOLICITATION_LIMIT: Term = Term::Limit {
    rate: 50,
    burst: 100,
};

/// The firewall's configuration from the conflist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FirewallConfig {
    /// Whether packets that leave the cluster are masqueraded (`ipMasq`).
    pub(crate) masquerade: bool,
    /// The network's pod CIDRs.
    pub(crate) pod_cidrs: Vec<IpNet>,
    /// Further destinations that are not masqueraded.
    pub(crate) direct: Vec<IpNet>,
}

impl FirewallConfig {
    /// The IP versions that are masqueraded.
    pub(super) fn masqueraded_versions(&self) -> Vec<IpVersion> {
        let has_pods = |version: &IpVersion| {
            let mut cidrs = self.pod_cidrs.iter();
            cidrs.any(|cidr| IpVersion::of(cidr.network()) == *version)
        };
        let versions = [IpVersion::V4, IpVersion::V6].into_iter();
        versions
            .filter(|version| self.masquerade && has_pods(version))
            .collect()
    }

    /// What happens to pods' packets, for the log.
    pub(super) fn summary(&self) -> &'static str {
        if self.masquerade {
            "pods are masqueraded to the outside"
        } else {
            "pods keep their addresses everywhere (ipMasq is off)"
        }
    }
}

/// The name of the set with the nodes' addresses.
pub(crate) fn node_set_name(version: IpVersion) -> &'static str {
    match version {
        IpVersion::V4 => "nodes4",
        IpVersion::V6 => "nodes6",
    }
}

/// The table of a node that owns these subnets. It does not grow with the number of pods.
///
/// It has no rules that accept forwarded packets: they would not help if another table drops those.
pub(crate) fn ruleset(
    config: &FirewallConfig,
    owned: &[IpNet],
    node_addresses: &[IpAddr],
) -> NftTable {
    let mut table = NftTable {
        id: spoof_guard::table(),
        sets: Vec::new(),
        chains: vec![spoof_guard()],
    };
    let versions = config.masqueraded_versions();
    for version in &versions {
        let sets = sets(config, owned, node_addresses, *version);
        table.sets.extend(sets);
    }
    if !versions.is_empty() {
        table.chains.push(masquerade_chain(&versions));
    }
    table
}

/// Drops packets from a pod whose source address does not lead back to it, before anything else
/// sees them. For IPv4 the host interfaces also have a strict `rp_filter`, but `net.ipv4.conf.all`
/// can make that loose.
///
/// It also drops packets to the node's 127.0.0.0/8, with whose services nothing but the node is meant
/// to speak. The kernel does that unless `route_localnet` is on, which portmap sets for host ends. An
/// ordinary IPv4 packet passes no rule for it: it is one more condition of the rule that accepts it.
fn spoof_guard() -> NftChain {
    let accept = || Term::Verdict(NftVerdict::Accept);
    let drop = || [Term::Counter, Term::Verdict(NftVerdict::Drop)];
    let dropped = |term: Term| NftRule::new([&[term][..], &drop()].concat());
    let mut rules = vec![
        NftRule::new([link(Direction::In, false), accept()]),
        // Valid IPv4 packets, the most common ones, skip the IPv6 rules.
        NftRule::new([
            Term::ToLoopback { is: false },
            Term::ReversePath { is: true },
            accept(),
        ]),
        // Link-local sources cannot be checked by routes. A node that accepts router advertisements
        // would take the pod for a router.
        dropped(Term::Icmpv6(Term::ROUTER_ADVERTISEMENT)).comment("pods are no routers"),
        dropped(Term::Icmpv6(Term::REDIRECT)).comment("pods are no routers"),
    ];
    if let Ok(link_local) = "fe80::/10".parse().map(Term::from) {
        let solicits = Term::Icmpv6(Term::NEIGHBOUR_SOLICITATION);
        let advertises = Term::Icmpv6(Term::NEIGHBOUR_ADVERTISEMENT);
        rules.extend([
            NftRule::new([link_local.clone(), solicits, SOLICITATION_LIMIT, accept()]),
            NftRule::new([link_local.clone(), advertises, accept()]),
            // The node has no route back to such an address, so no other packet from it is useful.
            dropped(link_local).comment("only neighbour discovery, in measure"),
        ]);
    }
    if let Ok(unspecified) = "::/128".parse().map(Term::from) {
        let useful = [&[Term::NEIGHBOUR_SOLICITATION], &Term::LISTENER[..]].concat();
        let passes = |kind| NftRule::new([unspecified.clone(), Term::Icmpv6(kind), accept()]);
        rules.extend(useful.into_iter().map(passes));
        let rest = dropped(unspecified).comment("only duplicate address detection and MLD");
        rules.push(rest);
    }
    rules.push(dropped(Term::ReversePath { is: false }).comment("not the pod's own address"));
    rules.push(dropped(Term::ToLoopback { is: true }).comment("the node's own loopback"));
    NftChain {
        name: spoof_guard::CHAIN.to_owned(),
        hook: Some(Hook::new("filter", Hook::PREROUTING, Hook::RAW)),
        rules,
    }
}

fn sets(
    config: &FirewallConfig,
    owned: &[IpNet],
    node_addresses: &[IpAddr],
    version: IpVersion,
) -> [NftSet; 3] {
    let [own, direct] = names(version);
    let never: Vec<IpNet> = NEVER_OUTSIDE
        .iter()
        .filter_map(|text| text.parse().ok())
        .collect();
    let all_direct = config.pod_cidrs.iter().chain(&config.direct).chain(&never);
    [
        NftSet::of_prefixes(own, version, owned),
        NftSet::of_prefixes(direct, version, all_direct),
        NftSet::of_addresses(
            node_set_name(version),
            version,
            node_addresses.iter().copied(),
        ),
    ]
}

/// Services need no rule: their addresses are translated before this chain.
fn masquerade_chain(versions: &[IpVersion]) -> NftChain {
    let mut rules = vec![NftRule::new([
        link(Direction::Out, true),
        Term::Verdict(NftVerdict::Accept),
    ])];
    for version in versions.iter().copied() {
        let [own, direct] = names(version);
        let member = |end, set: &str, is| Term::Member {
            end,
            version,
            set: set.to_owned(),
            is,
        };
        rules.push(NftRule::new([
            member(AddressField::Source, own, true),
            member(AddressField::Destination, direct, false),
            member(AddressField::Destination, node_set_name(version), false),
            Term::Masquerade,
        ]));
    }
    NftChain {
        name: "to-outside".to_owned(),
        hook: Some(Hook::new("nat", Hook::POSTROUTING, Hook::SOURCE_NAT)),
        rules,
    }
}

fn names(version: IpVersion) -> [&'static str; 2] {
    match version {
        IpVersion::V4 => ["own4", "direct4"],
        IpVersion::V6 => ["own6", "direct6"],
    }
}

fn link(way: Direction, is: bool) -> Term {
    let prefix = POD_INTERFACE_PREFIX.to_owned();
    Term::Link { way, prefix, is }
}

#[cfg(test)]
mod tests;
