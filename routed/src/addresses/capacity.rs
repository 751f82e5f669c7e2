//! When a node needs a further subnet, and when it can do without one. Pure.
//!
//! A subnet is claimed before the pod that needs it: when few addresses are left that a pod can
//! have at once. It is given back when it has been empty for a while and twice as many addresses
//! are left without it, so that a node at the limit does not claim and give back in turn.

use std::time::Duration;

use ipam::SubnetUsage;
use ipnet::IpNet;

/// Less than this share of a subnet left is little...
const SHARE: u128 = 8;

/// ... and more than so many addresses is not, however large the subnet: as many pods as a node
/// starts in the time that a claim takes, several times over.
const PLENTY: u128 = 64;

/// What a node needs for one pod CIDR.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// One more subnet.
    Claim,
    /// One less: this one.
    GiveBack(IpNet),
}

/// What a node needs whose subnets of one pod CIDR are `pool`, in the order in which it came to
/// own them, and of which each has been empty for as long as `empty_for` says.
pub(crate) fn needs(
    pool: &[SubnetUsage],
    empty_for: impl Fn(&IpNet) -> Duration,
    give_back_after: Duration,
) -> Option<Need> {
    let (_first, further) = pool.split_first()?;
    let little = little(pool);
    let ready: u128 = pool.iter().map(SubnetUsage::available).sum();
    if ready <= little {
        return Some(Need::Claim);
    }
    let is_spare = |usage: &&SubnetUsage| {
        usage.held == 0
            && usage.cooling == 0
            && ready - usage.available() > 2 * little
            && empty_for(&usage.subnet) >= give_back_after
    };
    let spare = further.iter().rev().find(is_spare)?;
    Some(Need::GiveBack(spare.subnet))
}

/// So few addresses are little. A subnet of a single address has none left only when it is held.
fn little(pool: &[SubnetUsage]) -> u128 {
    let capacity = pool.iter().map(|usage| usage.capacity).max();
    let capacity = capacity.unwrap_or_default();
    (capacity / SHARE)
        .clamp(1, PLENTY)
        .min(capacity.saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const AFTER: Duration = Duration::from_secs(600);

    /// Subnet number `n` with so many addresses of a kind.
    fn usage(n: u8, capacity: u128, held: u64, cooling: u64) -> SubnetUsage {
        SubnetUsage {
            subnet: format!("10.244.{n}.0/24").parse().unwrap(),
            capacity,
            held,
            cooling,
            cool_in: Duration::ZERO,
        }
    }

    fn needed(pool: &[SubnetUsage], empty_for: u64) -> Option<Need> {
        needs(pool, |_| Duration::from_secs(empty_for), AFTER)
    }

    #[test]
    fn a_subnet_is_claimed_before_the_last_address_is_gone() {
        for (case, pool, expected) in [
            ("nothing is owned", vec![], None),
            ("unused", vec![usage(1, 253, 0, 0)], None),
            ("32 are left", vec![usage(1, 253, 221, 0)], None),
            (
                "31 are left",
                vec![usage(1, 253, 222, 0)],
                Some(Need::Claim),
            ),
            (
                "the others are hot",
                vec![usage(1, 253, 22, 200)],
                Some(Need::Claim),
            ),
            (
                "all is gone",
                vec![usage(1, 253, 253, 0)],
                Some(Need::Claim),
            ),
            (
                "two subnets share what is left",
                vec![usage(1, 253, 240, 0), usage(2, 253, 230, 0)],
                None,
            ),
            (
                "and run out together",
                vec![usage(1, 253, 240, 0), usage(2, 253, 235, 0)],
                Some(Need::Claim),
            ),
            (
                "more is held than there is",
                vec![usage(1, 13, 14, 0)],
                Some(Need::Claim),
            ),
            ("a subnet of one address", vec![usage(1, 1, 0, 0)], None),
            (
                "is used up at once",
                vec![usage(1, 1, 1, 0)],
                Some(Need::Claim),
            ),
            ("a subnet of two addresses", vec![usage(1, 2, 0, 0)], None),
            ("keeps one", vec![usage(1, 2, 1, 0)], Some(Need::Claim)),
            (
                "all is excluded",
                vec![usage(1, 0, 0, 0)],
                Some(Need::Claim),
            ),
            (
                "an IPv6 subnet lasts",
                vec![usage(1, (1 << 48) - 2, 100_000, 9_000)],
                None,
            ),
        ] {
            assert_eq!(needed(&pool, 10_000), expected, "{case}");
        }
    }

    #[test]
    fn an_empty_further_subnet_is_given_back_after_a_while() {
        let (first, second, third) = (
            usage(1, 253, 9, 0),
            usage(2, 253, 0, 0),
            usage(3, 253, 0, 0),
        );
        let back = |usage: SubnetUsage| Some(Need::GiveBack(usage.subnet));
        for (case, pool, empty_for, expected) in [
            ("not yet", vec![first, second], 599, None),
            ("now", vec![first, second], 600, back(second)),
            ("the first stays", vec![second], 9_999, None),
            (
                "though it is empty",
                vec![second, usage(3, 253, 1, 0)],
                9_999,
                None,
            ),
            (
                "the last comes first",
                vec![first, second, third],
                600,
                back(third),
            ),
            (
                "one that is used stays",
                vec![first, usage(2, 253, 1, 0)],
                9_999,
                None,
            ),
            (
                "one that is hot stays",
                vec![first, usage(2, 253, 0, 1)],
                9_999,
                None,
            ),
            (
                "between used ones",
                vec![first, second, usage(3, 253, 1, 0)],
                600,
                back(second),
            ),
        ] {
            assert_eq!(needed(&pool, empty_for), expected, "{case}");
        }
    }

    #[test]
    fn what_is_given_back_is_not_needed_again_at_once() {
        for held in 0..=253 {
            let (first, second) = (usage(1, 253, held, 0), usage(2, 253, 0, 0));
            if needed(&[first, second], 9_999) == Some(Need::GiveBack(second.subnet)) {
                let more = usage(1, 253, held + 30, 0);
                assert_eq!(needed(&[more], 9_999), None, "with {held} held");
            }
        }
        let (first, second) = (usage(1, 253, 200, 0), usage(2, 253, 0, 0));
        assert_eq!(
            needed(&[first, second], 9_999),
            None,
            "there would be little left"
        );
    }
}
