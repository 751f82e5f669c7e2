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
    ] {
        let widened = widen(&nets(known), &nets(subnets));
        assert_eq!(widened, nets(expected), "{known:?} {subnets:?}");
    }
}
