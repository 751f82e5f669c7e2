use std::collections::BTreeSet;

use super::*;

fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

fn pool(pod_cidr: &str, length: u8, taken: &[&str]) -> Pool {
    let taken: Vec<IpNet> = taken.iter().map(|text| net(text)).collect();
    Pool::new(net(pod_cidr), length, &taken)
}

fn all_free(pool: &Pool) -> Vec<String> {
    (0..pool.free())
        .map(|n| pool.nth_free(n).unwrap().to_string())
        .collect()
}

#[test]
fn free_subnets_overlap_no_taken_one() {
    let rows: [(&[&str], &[&str]); 7] = [
        (
            &[],
            &["10.0.0.0/24", "10.0.1.0/24", "10.0.2.0/24", "10.0.3.0/24"],
        ),
        (
            &["10.0.0.0/24"],
            &["10.0.1.0/24", "10.0.2.0/24", "10.0.3.0/24"],
        ),
        (
            &["10.0.3.0/24", "10.0.1.0/24"],
            &["10.0.0.0/24", "10.0.2.0/24"],
        ),
        (&["10.0.2.0/23"], &["10.0.0.0/24", "10.0.1.0/24"]),
        (
            &["10.0.1.128/25", "10.0.1.0/24"],
            &["10.0.0.0/24", "10.0.2.0/24", "10.0.3.0/24"],
        ),
        (
            &["11.0.0.0/24", "fd00::/64"],
            &["10.0.0.0/24", "10.0.1.0/24", "10.0.2.0/24", "10.0.3.0/24"],
        ),
        (&["10.0.0.0/8"], &[]),
    ];
    for (taken, free) in rows {
        assert_eq!(
            all_free(&pool("10.0.0.0/22", 24, taken)),
            free,
            "taken: {taken:?}"
        );
    }
}

#[test]
fn huge_ipv6_pool_is_counted_and_indexed() {
    let pool = pool(
        "fd00:10:244::/56",
        80,
        &["fd00:10:244::/80", "fd00:10:244:0:1::/80"],
    );
    assert_eq!(pool.total(), 1 << 24);
    assert_eq!(pool.free(), (1 << 24) - 2);
    assert_eq!(pool.nth_free(0), Some(net("fd00:10:244:0:2::/80")));
    assert_eq!(
        pool.nth_free(pool.free() - 1),
        Some(net("fd00:10:244:ff:ffff::/80"))
    );
    assert_eq!(pool.nth_free(pool.free()), None);
}

#[test]
fn pool_of_any_size_can_be_used_up() {
    for (pod_cidr, length) in [("10.0.0.0/24", 24), ("0.0.0.0/0", 30), ("::/0", 126)] {
        let pool = pool(pod_cidr, length, &[]);
        let last = pool.nth_free(pool.total() - 1).unwrap();
        assert!(pool.is_free(&last));
        assert!(net(pod_cidr).contains(&last));
        assert_eq!(pool.nth_free(pool.total()), None);
    }
}

#[test]
fn subnet_of_another_length_is_not_free() {
    let pool = pool("10.0.0.0/22", 24, &["10.0.1.0/24"]);
    assert!(pool.is_free(&net("10.0.0.0/24")));
    for other in [
        "10.0.1.0/24",
        "10.0.0.0/25",
        "10.0.0.0/23",
        "10.1.0.0/24",
        "fd00::/24",
    ] {
        assert!(!pool.is_free(&net(other)), "{other}");
    }
}

#[test]
fn node_chooses_the_same_subnet_until_it_loses_a_race() {
    let pool = pool("10.0.0.0/12", 24, &[]);
    let node: NodeName = "node-1".parse().unwrap();
    assert_eq!(pool.choose(&node, 0), pool.choose(&node, 0));
    assert_ne!(pool.choose(&node, 0), pool.choose(&node, 1));
}

#[test]
fn nodes_that_start_together_spread_over_the_pool() {
    let pool = pool("10.0.0.0/12", 24, &[]);
    let chosen: BTreeSet<_> = (0..500)
        .map(|n| {
            pool.choose(&format!("node-{n}").parse().unwrap(), 0)
                .unwrap()
        })
        .collect();
    assert!(chosen.len() > 450, "only {} of 500 differ", chosen.len());
}

#[test]
fn full_pool_gives_no_choice() {
    let pool = pool("10.0.0.0/23", 24, &["10.0.0.0/24", "10.0.1.0/24"]);
    assert_eq!(pool.choose(&"node-1".parse().unwrap(), 0), None);
}
