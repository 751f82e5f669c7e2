use super::*;

fn nets(texts: &[&str]) -> Vec<IpNet> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

#[test]
fn pod_cidrs_hold_those_of_all_nodes_and_no_more() {
    for (known, subnets, expected) in [
        (&[][..], &[][..], &[][..]),
        (&[], &["10.244.0.0/24"], &["10.244.0.0/24"]),
        (&[], &["10.244.0.0/24", "10.244.1.0/24"], &["10.244.0.0/23"]),
        (&[], &["10.244.1.0/24", "10.244.2.0/24"], &["10.244.0.0/22"]),
        (&["10.244.0.0/16"], &["10.244.7.0/24"], &["10.244.0.0/16"]),
        (&["10.244.0.0/23"], &["10.245.0.0/24"], &["10.244.0.0/15"]),
        (
            &[],
            &["fd00:10::/80", "10.244.0.0/24", "fd00:10:0:0:1::/80"],
            &["10.244.0.0/24", "fd00:10::/79"],
        ),
        // Too far apart for one cluster: the first counts.
        (&[], &["10.244.0.0/24", "172.16.0.0/24"], &["10.244.0.0/24"]),
        // Larger subnets are no reason for a network of half the world.
        (&[], &["10.244.0.0/24", "172.16.0.0/16"], &["10.244.0.0/24"]),
        (&[], &["10.244.0.0/24", "192.0.0.0/8"], &["10.244.0.0/24"]),
        (&[], &["fd00:10::/64", "2001:db8::/32"], &["fd00:10::/64"]),
    ] {
        let widened = widen(&nets(known), &nets(subnets), |_| true);
        assert_eq!(widened, nets(expected), "{known:?} {subnets:?}");
    }
}

#[test]
fn prefix_that_may_not_be_leaves_the_network_as_it_was() {
    let (known, far) = (nets(&["10.244.0.0/23"]), nets(&["10.1.0.0/24"]));
    assert_eq!(widen(&known, &far, |_| false), known);
    assert_eq!(widen(&known, &far, |_| true), nets(&["10.0.0.0/8"]));
}
