//! The table `inet flatland` as it should be: a pure function of the conflist, this node's subnets
//! and the addresses of the network's nodes.

use std::net::IpAddr;

use ipnet::IpNet;
use wire::nft::{AddressField, Chain, Direction, Hook, Rule, Set, Table, Term, Verdict, Version};
use wire::spoof_guard;

/// What the names of the pods' interfaces on the node begin with (`wire::pod_link::host_interface`).
const PODS: &str = "flat";

/// Where pods go under their own address whatever the conflist says: link-local and multicast
/// addresses (RFC 3927, RFC 5771, RFC 4291), which no router passes on.
const NEVER_OUTSIDE: [&str; 4] = ["169.254.0.0/16", "224.0.0.0/4", "fe80::/10", "ff00::/8"];

/// How many neighbour solicitations from link-local addresses all pods of a node may send, a second
/// and at once. Each makes the kernel remember one more neighbour; it forgets those of the last five
/// seconds on no account (`neigh_forced_gc`), refuses new ones beyond 1,024 and begins to forget at
/// 512. So many never come near that, and a guest sends one or two a minute.
const SOLICITATIONS: Term = Term::Limit {
    rate: 50,
    burst: 100,
};

/// What the conflist says of the packet filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FirewallConfig {
    /// Whether what leaves the cluster is masqueraded.
    pub(crate) masquerade: bool,
    /// The network's pod CIDRs.
    pub(crate) pod_cidrs: Vec<IpNet>,
    /// Where else pods go under their own address.
    pub(crate) direct: Vec<IpNet>,
}

impl FirewallConfig {
    /// The versions of which packets are masqueraded.
    pub(super) fn masqueraded(&self) -> Vec<Version> {
        let has_pods = |version: &Version| {
            let mut cidrs = self.pod_cidrs.iter();
            cidrs.any(|cidr| Version::of(cidr.network()) == *version)
        };
        let versions = [Version::V4, Version::V6].into_iter();
        versions
            .filter(|version| self.masquerade && has_pods(version))
            .collect()
    }

    /// What becomes of pods' packets, in words.
    pub(super) fn words(&self) -> &'static str {
        if self.masquerade {
            "pods are masqueraded to the outside"
        } else {
            "pods keep their addresses everywhere (ipMasq is off)"
        }
    }
}

/// The name of the set of the nodes' addresses.
pub(crate) fn nodes(version: Version) -> &'static str {
    match version {
        Version::V4 => "nodes4",
        Version::V6 => "nodes6",
    }
}

/// The table of a node that owns these subnets. It does not grow with the number of pods.
///
/// It accepts no forwarded traffic: that would not help where another table drops it.
pub(crate) fn ruleset(
    policy: &FirewallConfig,
    owned: &[IpNet],
    node_addresses: &[IpAddr],
) -> Table {
    let mut table = Table {
        id: spoof_guard::table(),
        sets: Vec::new(),
        chains: vec![spoof_guard()],
    };
    let versions = policy.masqueraded();
    for version in &versions {
        let sets = sets(policy, owned, node_addresses, *version);
        table.sets.extend(sets);
    }
    if !versions.is_empty() {
        table.chains.push(to_outside(&versions));
    }
    table
}

/// Whatever a pod sends under an address that does not lead back to it is gone before anything
/// else sees it. For IPv4 the host ends have a strict `rp_filter` besides, but that is loose where
/// the setting for all interfaces is.
fn spoof_guard() -> Chain {
    let accept = || Term::Verdict(Verdict::Accept);
    let drop = || [Term::Counter, Term::Verdict(Verdict::Drop)];
    let dropped = |term: Term| Rule::new([&[term][..], &drop()].concat());
    let mut rules = vec![
        Rule::new([link(Direction::In, false), accept()]),
        // What is of IPv4 and in order, most of it all, needs no look at the rules for IPv6.
        Rule::new([
            Term::IpVersion(Version::V4),
            Term::ReversePath { is: true },
            accept(),
        ]),
        // From a link-local address, which is beyond what routes can tell: a node that listens to
        // routers would take the pod for one.
        dropped(Term::Icmpv6(Term::ROUTER_ADVERTISEMENT)).comment("pods are no routers"),
        dropped(Term::Icmpv6(Term::REDIRECT)).comment("pods are no routers"),
    ];
    if let Ok(link_local) = "fe80::/10".parse().map(Term::from) {
        let solicits = Term::Icmpv6(Term::NEIGHBOUR_SOLICITATION);
        let advertises = Term::Icmpv6(Term::NEIGHBOUR_ADVERTISEMENT);
        rules.extend([
            Rule::new([link_local.clone(), solicits, SOLICITATIONS, accept()]),
            Rule::new([link_local.clone(), advertises, accept()]),
            // The node has no route back to such an address, so that nothing else has a use.
            dropped(link_local).comment("only neighbour discovery, in measure"),
        ]);
    }
    // What looks for a duplicate of an address: the kernel forwards none of it.
    let unspecified = "::/128".parse().map(Term::from);
    rules.extend(unspecified.map(|term| Rule::new([term, accept()])));
    rules.push(dropped(Term::ReversePath { is: false }).comment("not the pod's own address"));
    Chain {
        name: spoof_guard::CHAIN.to_owned(),
        hook: Hook::new("filter", Hook::PREROUTING, Hook::RAW),
        rules,
    }
}

fn sets(
    policy: &FirewallConfig,
    owned: &[IpNet],
    node_addresses: &[IpAddr],
    version: Version,
) -> [Set; 3] {
    let [own, direct] = names(version);
    let never: Vec<IpNet> = NEVER_OUTSIDE
        .iter()
        .filter_map(|text| text.parse().ok())
        .collect();
    let all_direct = policy.pod_cidrs.iter().chain(&policy.direct).chain(&never);
    [
        Set::of_prefixes(own, version, owned),
        Set::of_prefixes(direct, version, all_direct),
        Set::of_addresses(nodes(version), version, node_addresses.iter().copied()),
    ]
}

/// Services need no mention: who translates their addresses does it before this.
fn to_outside(versions: &[Version]) -> Chain {
    let mut rules = vec![Rule::new([
        link(Direction::Out, true),
        Term::Verdict(Verdict::Accept),
    ])];
    for version in versions.iter().copied() {
        let [own, direct] = names(version);
        let member = |end, set: &str, is| Term::Member {
            end,
            version,
            set: set.to_owned(),
            is,
        };
        rules.push(Rule::new([
            member(AddressField::Source, own, true),
            member(AddressField::Destination, direct, false),
            member(AddressField::Destination, nodes(version), false),
            Term::Masquerade,
        ]));
    }
    Chain {
        name: "to-outside".to_owned(),
        hook: Hook::new("nat", Hook::POSTROUTING, Hook::SOURCE_NAT),
        rules,
    }
}

fn names(version: Version) -> [&'static str; 2] {
    match version {
        Version::V4 => ["own4", "direct4"],
        Version::V6 => ["own6", "direct6"],
    }
}

fn link(way: Direction, is: bool) -> Term {
    let prefix = PODS.to_owned();
    Term::Link { way, prefix, is }
}

#[cfg(test)]
mod tests;
