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
