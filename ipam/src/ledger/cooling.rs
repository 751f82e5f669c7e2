//! Decides how many addresses that still cool down may be handed out again. Pure.
//!
//! A cool-down that were always kept would make a node whose pods come and go in quick succession own
//! one subnet after another. So only a share of the node's addresses may cool down
//! (`maxCoolingPercent`). Beyond it, the address that has cooled down for longest is handed out, before
//! a further subnet is claimed.

use crate::ledger::usage::SubnetUsage;

/// How many of the cooling addresses of a node's subnets of one pod CIDR may be handed out, those that
/// have cooled down for longest first.
pub fn reusable(subnets: &[SubnetUsage], max_cooling_percent: u8) -> u128 {
    let capacity: u128 = subnets.iter().map(|usage| usage.capacity).sum();
    let sum = |count: fn(&SubnetUsage) -> u64| subnets.iter().map(|it| u128::from(count(it))).sum();
    let (cooling, rested): (u128, u128) = (sum(|it| it.cooling), sum(|it| it.rested));
    let share = capacity.saturating_mul(max_cooling_percent.into()) / 100;
    cooling.saturating_sub(share).min(rested)
}

#[cfg(test)]
mod tests;
