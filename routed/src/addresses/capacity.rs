//! Decides when a node claims a further subnet and when it gives one back. Pure.
//!
//! A subnet is claimed before pods need it: when few addresses are available. It is given back when
//! it has been empty for a while and more than twice that number is available without it, so that a
//! node at the limit does not claim and give back in turn.

use std::time::Duration;

use ipam::SubnetUsage;
use ipnet::IpNet;

/// The reserve is the capacity of the largest subnet divided by this...
const RESERVE_DIVISOR: u128 = 8;

/// ... but at most this many addresses: several times the number of pods that a node starts while a
/// claim is under way.
const MAX_RESERVE: u128 = 64;

/// What a node has to do for one pod CIDR.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// Claim one more subnet.
    Claim,
    /// Give this one back.
    GiveBack(IpNet),
}

/// What a node has to do that has `subnets` of one pod CIDR, in the order in which it claimed them.
/// `reusable` is how many of their cooling addresses may be handed out ([`ipam::reusable`]), and
/// `empty_for` returns how long a subnet has been empty.
pub(crate) fn needs(
    subnets: &[SubnetUsage],
    reusable: u128,
    empty_for: impl Fn(&IpNet) -> Duration,
    give_back_after: Duration,
) -> Option<Need> {
    let (_first, further) = subnets.split_first()?;
    let reserve = reserve(subnets);
    let available: u128 = subnets.iter().map(SubnetUsage::available).sum();
    if available.saturating_add(reusable) <= reserve {
        return Some(Need::Claim);
    }
    let is_spare = |usage: &&SubnetUsage| {
        usage.held == 0
            && usage.cooling == 0
            && available - usage.available() > 2 * reserve
            && empty_for(&usage.subnet) >= give_back_after
    };
    let spare = further.iter().rev().find(is_spare)?;
    Some(Need::GiveBack(spare.subnet))
}

/// When no more addresses than this are available, a further subnet is claimed. 0 for subnets of a
/// single address: these are used up before the next one is claimed.
fn reserve(subnets: &[SubnetUsage]) -> u128 {
    let capacity = subnets.iter().map(|usage| usage.capacity).max();
    let capacity = capacity.unwrap_or_default();
    (capacity / RESERVE_DIVISOR)
        .clamp(1, MAX_RESERVE)
        .min(capacity.saturating_sub(1))
}

#[cfg(test)]
mod tests;
