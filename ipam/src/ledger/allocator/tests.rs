//! Tests of the choice.

use std::convert::Infallible;

use crate::ledger::allocator::*;

const COOL_DOWN: Duration = Duration::from_secs(130);
const NOW: Duration = Duration::from_secs(1000);

fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn freed(address: &str, seconds_ago: u64) -> Freed {
    let at = NOW.saturating_sub(Duration::from_secs(seconds_ago));
    Freed {
        address: ip(address),
        at,
    }
}

fn offer(subnet: &str, fresh: Option<&str>, oldest: impl Into<Option<Freed>>) -> NextAddresses {
    NextAddresses {
        subnet: net(subnet),
        fresh: fresh.map(ip),
        oldest: oldest.into(),
    }
}

fn chosen(offers: &[NextAddresses]) -> Option<IpAddr> {
    let offers = offers.iter().copied().map(Ok::<_, Infallible>);
    choose(offers, NOW, COOL_DOWN)
        .unwrap()
        .map(|choice| choice.address())
}

#[test]
fn network_node_and_broadcast_address_are_never_for_pods() {
    for (subnet, from, to, count) in [
        ("10.244.1.0/24", "10.244.1.2", "10.244.1.254", 253),
        ("10.244.1.4/30", "10.244.1.6", "10.244.1.6", 1),
        ("255.255.255.0/24", "255.255.255.2", "255.255.255.254", 253),
        (
            "fd00::/80",
            "fd00::2",
            "fd00::ffff:ffff:ffff",
            (1 << 48) - 2,
        ),
        ("fd00::4/126", "fd00::6", "fd00::7", 2),
    ] {
        let subnet = net(subnet);
        assert_eq!(
            (first(&subnet), last(&subnet)),
            (ip(from), ip(to)),
            "{subnet}"
        );
        assert_eq!(usable(&subnet, &[]), count, "{subnet}");
        assert!(
            is_usable(&subnet, ip(from)) && is_usable(&subnet, ip(to)),
            "{subnet}"
        );
        assert_eq!(after(&subnet, last(&subnet)), None, "{subnet}");
    }
    for unusable in [
        "10.244.1.0",
        "10.244.1.1",
        "10.244.1.255",
        "10.244.2.7",
        "fd00::7",
    ] {
        assert!(
            !is_usable(&net("10.244.1.0/24"), ip(unusable)),
            "{unusable}"
        );
    }
    for unusable in ["fd00::", "fd00::1", "fd00::1:0:0:0"] {
        assert!(!is_usable(&net("fd00::/80"), ip(unusable)), "{unusable}");
    }
}

#[test]
fn order_is_fresh_then_longest_free_then_cooling() {
    let small = "10.244.1.0/24";
    for (case, offers, expected) in [
        ("nothing left", vec![offer(small, None, None)], None),
        (
            "never used before cooled down",
            vec![offer(small, Some("10.244.1.9"), freed("10.244.1.3", 500))],
            Some("10.244.1.9"),
        ),
        (
            "the first subnet's freed address before the second's unused ones",
            vec![
                offer(small, None, freed("10.244.1.3", 131)),
                offer("10.244.7.0/24", Some("10.244.7.2"), None),
            ],
            Some("10.244.1.3"),
        ),
        (
            "the second subnet's before one that is still cooling",
            vec![
                offer(small, None, freed("10.244.1.3", 129)),
                offer("10.244.7.0/24", Some("10.244.7.2"), None),
            ],
            Some("10.244.7.2"),
        ),
        (
            "of those still cooling the one that cooled longest",
            vec![
                offer(small, None, freed("10.244.1.3", 5)),
                offer("10.244.7.0/24", None, freed("10.244.7.3", 6)),
                offer("10.244.8.0/24", None, freed("10.244.8.3", 4)),
            ],
            Some("10.244.7.3"),
        ),
    ] {
        assert_eq!(chosen(&offers), expected.map(ip), "{case}");
    }
}

#[test]
fn large_subnet_reuses_freed_addresses_after_the_window() {
    let large = "fd00::/80";
    let (inside, beyond) = (Some("fd00::401"), Some("fd00::402"));
    let cooled = freed("fd00::2", 200);
    assert_eq!(
        chosen(&[offer(large, inside, cooled)]),
        Some(ip("fd00::401"))
    );
    assert_eq!(chosen(&[offer(large, beyond, cooled)]), Some(ip("fd00::2")));
    assert_eq!(
        chosen(&[offer(large, beyond, freed("fd00::2", 20))]),
        Some(ip("fd00::402"))
    );
}

#[test]
fn excluded_blocks_are_skipped() {
    let nets = |list: &[&str]| list.iter().copied().map(net).collect::<Vec<_>>();
    for (subnet, from, exclude, expected) in [
        ("10.244.1.0/24", "10.244.1.2", &[][..], Some("10.244.1.2")),
        (
            "10.244.1.0/24",
            "10.244.1.2",
            &["10.244.1.3/32"],
            Some("10.244.1.2"),
        ),
        (
            "10.244.1.0/24",
            "10.244.1.2",
            &["10.244.1.0/28", "10.244.1.16/32"],
            Some("10.244.1.17"),
        ),
        ("10.244.1.0/24", "10.244.1.250", &["10.244.1.128/25"], None),
        ("10.244.1.0/24", "10.244.1.2", &["10.244.0.0/20"], None),
        ("fd00::/80", "fd00::2", &["fd00::/96"], Some("fd00::1:0:0")),
    ] {
        let found = skip(&net(subnet), ip(from), &nets(exclude));
        assert_eq!(found, expected.map(ip), "{from} without {exclude:?}");
    }
}

#[test]
fn excluded_addresses_are_not_counted() {
    let nets = |list: &[&str]| list.iter().copied().map(net).collect::<Vec<_>>();
    for (subnet, exclude, count) in [
        ("10.244.1.0/24", &["10.244.1.0/28"][..], 253 - 14),
        (
            "10.244.1.0/24",
            &["10.244.1.9/32", "10.244.1.254/31", "10.244.2.0/24"],
            251,
        ),
        ("10.244.1.0/24", &["10.244.1.0/31", "fd00::/80"], 253),
        ("10.244.1.0/24", &["10.244.0.0/16"], 0),
        ("fd00::/80", &["fd00::/96"], (1 << 48) - (1 << 32)),
        ("fd00::/80", &["::/0"], 0),
    ] {
        assert_eq!(
            usable(&net(subnet), &nets(exclude)),
            count,
            "{subnet} {exclude:?}"
        );
    }
}

#[test]
fn search_ends_at_the_first_ready_offer() {
    let ready = offer("10.244.1.0/24", Some("10.244.1.9"), None);
    let choice = choose([Ok(ready), Err("looked further")], NOW, COOL_DOWN);
    assert_eq!(
        choice,
        Ok(Some(Choice::Fresh(ready.subnet, ip("10.244.1.9"))))
    );
}
