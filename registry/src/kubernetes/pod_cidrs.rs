//! The pod CIDRs of a cluster whose conflist names none: of each family, the smallest prefix that
//! holds the pod CIDRs of all nodes. Kubernetes gives nodes parts of one prefix per family
//! (`--cluster-cidr`), so this never reaches beyond that prefix.

use ipnet::IpNet;

use crate::kubernetes::node::{is_same_family, shortest};

/// Kubernetes cuts a prefix into at most 2^16 nodes (`maxCIDRs` of its node IPAM controller).
const MAX_BITS: u8 = 16;

/// `known`, widened so that each of `subnets` is inside one of them. One for which that would take a
/// wider prefix than Kubernetes cuts, or one that `may_be` refuses, is left out: such nodes have no
/// parts of one prefix.
pub(super) fn widen(
    known: &[IpNet],
    subnets: &[IpNet],
    may_be: impl Fn(&IpNet) -> bool,
) -> Vec<IpNet> {
    let mut widened = known.to_vec();
    for subnet in subnets {
        let Some(cidr) = widened.iter_mut().find(|it| is_same_family(it, subnet)) else {
            widened.push(*subnet);
            continue;
        };
        let wider = common(*cidr, *subnet);
        let is_possible = subnet.prefix_len().saturating_sub(wider.prefix_len()) <= MAX_BITS
            && wider.prefix_len() >= shortest(&wider);
        if is_possible && wider != *cidr && may_be(&wider) {
            *cidr = wider;
        }
    }
    widened.sort_unstable_by_key(|cidr| cidr.addr().is_ipv6());
    widened
}

/// The longest prefix that holds both.
fn common(one: IpNet, other: IpNet) -> IpNet {
    let mut common = one;
    while !common.contains(&other) {
        common = common
            .supernet()
            .expect("a prefix of length 0 holds all of its family");
    }
    common
}

#[cfg(test)]
mod tests;
