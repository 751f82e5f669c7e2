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
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn cooling_beyond_the_share_is_reusable_after_the_minimum() {
        let usage = |capacity, cooling, rested| SubnetUsage {
            subnet: "10.244.1.0/24".parse().unwrap(),
            capacity,
            held: 0,
            cooling,
            rested,
            cool_in: Duration::ZERO,
        };
        for (case, subnets, percent, expected) in [
            ("nothing is owned", vec![], 25, 0),
            ("none cools down", vec![usage(253, 0, 0)], 25, 0),
            ("the share", vec![usage(253, 63, 63)], 25, 0),
            ("one more", vec![usage(253, 64, 64)], 25, 1),
            ("none has rested", vec![usage(253, 200, 0)], 25, 0),
            ("few have rested", vec![usage(253, 200, 9)], 25, 9),
            (
                "the share is that of all subnets",
                vec![usage(253, 126, 126), usage(253, 0, 0)],
                25,
                0,
            ),
            (
                "wherever they are",
                vec![usage(253, 120, 120), usage(253, 10, 10)],
                25,
                4,
            ),
            ("no share", vec![usage(5, 3, 2)], 0, 2),
            ("all may cool down", vec![usage(5, 5, 5)], 100, 0),
            ("a subnet of one address", vec![usage(1, 1, 1)], 25, 1),
            ("IPv6", vec![usage(1 << 48, 10_000, 10_000)], 25, 0),
        ] {
            assert_eq!(reusable(&subnets, percent), expected, "{case}");
        }
    }
}
