use std::collections::VecDeque;

use super::*;

const AFTER: Duration = Duration::from_secs(600);

/// Subnet number `n` with this usage.
fn usage(n: u8, capacity: u128, held: u64, cooling: u64) -> SubnetUsage {
    SubnetUsage {
        subnet: format!("10.244.{n}.0/24").parse().unwrap(),
        capacity,
        held,
        cooling,
        rested: 0,
        cool_in: Duration::ZERO,
    }
}

fn needed(pool: &[SubnetUsage], empty_for: u64) -> Option<Need> {
    needs(pool, 0, |_| Duration::from_secs(empty_for), AFTER)
}

#[test]
fn reusable_addresses_count_as_available() {
    let pool = [usage(1, 253, 22, 200)];
    for (reusable, expected) in [(0, Some(Need::Claim)), (1, None)] {
        assert_eq!(
            needs(&pool, reusable, |_| AFTER, AFTER),
            expected,
            "{reusable}"
        );
    }
}

/// A node with 25 pods, of which `rate` go and come each second, for ten minutes: how many subnets
/// it owns then, and for how long an address rested at least, in seconds.
fn simulate(rate: u64, max_cooling_percent: u8) -> (u64, u64) {
    const PODS: u64 = 25;
    const COOL_DOWN: u64 = 130;
    // When each cooling address was freed.
    let (mut subnets, mut freed, mut shortest) = (1, VecDeque::new(), COOL_DOWN);
    for now in 0..600 {
        while freed.front().is_some_and(|at| now - at >= COOL_DOWN) {
            freed.pop_front();
        }
        for step in 0..=rate {
            let cooling = freed.len() as u64;
            let is_rested = |at: &&u64| now - **at >= ipam::MIN_COOL_DOWN.as_secs();
            let all = SubnetUsage {
                rested: freed.iter().filter(is_rested).count() as u64,
                ..usage(1, 253 * u128::from(subnets), PODS, cooling)
            };
            let reusable = ipam::reusable(&[all], max_cooling_percent);
            if step == rate {
                // `routed` looks; the reserve is that of one subnet.
                let one = SubnetUsage {
                    capacity: 253,
                    held: 253 - u64::try_from(all.available().min(253)).unwrap(),
                    cooling: 0,
                    ..all
                };
                let need = needs(&[one], reusable, |_| Duration::ZERO, AFTER);
                subnets += u64::from(need == Some(Need::Claim));
            } else if all.available() == 0 && reusable == 0 {
                subnets += 1;
            } else if all.available() == 0 {
                shortest = shortest.min(now - freed.pop_front().unwrap());
            }
            if step < rate {
                freed.push_back(now);
            }
        }
    }
    (subnets, shortest)
}

#[test]
fn documented_figures_of_the_share_are_those_computed() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/features.md");
    let page = std::fs::read_to_string(page).unwrap();
    for rate in [1, 2, 5, 10, 20] {
        let figures = [25, 100].map(|percent| {
            let (subnets, shortest) = simulate(rate, percent);
            format!("{subnets}, {shortest} s")
        });
        let row = format!("| {rate} | {} |", figures.join(" | "));
        assert!(page.contains(&row), "docs/features.md lacks: {row}");
    }
}

#[test]
fn subnet_is_claimed_before_addresses_run_out() {
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
            "the others cool down",
            vec![usage(1, 253, 22, 200)],
            Some(Need::Claim),
        ),
        (
            "all are held",
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
            "all are excluded",
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
fn empty_further_subnet_is_given_back_after_a_while() {
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
            "one that cools down stays",
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
fn subnet_given_back_is_not_claimed_again_at_once() {
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
