//! Two nodes that choose next hops to each other, or among several addresses.

use super::*;

/// A case of two nodes on two links, 192.168.1.0/24 on eth2 and 172.16.0.0/24 on eth3.
#[derive(Clone, Copy)]
struct Pair<'a> {
    /// What n1 and n2 advertise.
    advertised: [&'a [&'a str]; 2],
    shared: &'a str,
    silent: &'a [&'a str],
}

impl Pair<'_> {
    /// The next hop that n1, or else n2, chooses.
    fn next_hop(self, from_first: bool) -> (String, u32) {
        let network = Network {
            pod_cidrs: vec!["10.244.0.0/16".parse().unwrap()],
            subnet_lengths: vec![24],
        };
        let last = if from_first { 1 } else { 2 };
        let links = [
            link(
                2,
                true,
                &[
                    &format!("192.168.1.{last}/24"),
                    &format!("fd00:1::{last}/64"),
                ],
            ),
            link(3, true, &[&format!("172.16.0.{last}/24")]),
        ];
        let names = ["n1", "n2"].map(|name| NodeName::new(name).unwrap());
        let [first, second] = self
            .advertised
            .map(|all| -> Vec<IpAddr> { all.iter().map(|text| text.parse().unwrap()).collect() });
        let mut advertisers = Advertisers::default();
        let shared: Vec<IpAddr> = self.shared.parse().into_iter().collect();
        advertisers.change(&names[0], &[], &shared);
        advertisers.change(&names[1], &[], &shared);
        let mut silent = SilentHops::default();
        for text in self.silent {
            let address: IpAddr = text.parse().unwrap();
            let dev = if text.starts_with("172") { 3 } else { 2 };
            silent.failed((dev, address), std::time::Instant::now());
        }
        let (me, other) = if from_first { (0, 1) } else { (1, 0) };
        let local = &LocalNode {
            registered_machine: None,
            node: names[me].clone(),
            network: network.clone(),
            owned: Vec::new(),
            links: links.to_vec(),
            connected: ConnectedRoutes::of(&links),
            silent,
            cross_subnet: None,
        };
        let (own, addresses) = if from_first {
            (first, second)
        } else {
            (second, first)
        };
        let peer = PeerView {
            node: &names[other],
            addresses: &addresses,
            own: &own,
            advertisers: &advertisers,
        };
        match choose(V4.parse().unwrap(), peer, local).unwrap() {
            RoutePath::Via { gateway, dev } => (gateway.to_string(), dev),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn both_nodes_take_the_link_that_the_first_prefers() {
    let (a, b) = ("192.168.1.", "172.16.0.");
    let of = |prefixes: &[&str], last: u8| -> Vec<String> {
        prefixes
            .iter()
            .map(|prefix| format!("{prefix}{last}"))
            .collect()
    };
    for (first, second, expected) in [
        (&[a, b][..], &[a, b][..], 2),
        (&[a, b], &[b, a], 2),
        (&[b, a], &[a, b], 3),
        (&[b, a], &[b, a], 3),
        // An address that is not advertised, or on no link of the other, is not in common.
        (&[a, b], &[b], 3),
        (&[b], &[a, b], 3),
        (&["10.9.9.", b, a], &[a, b], 3),
        (&["fd00:1::", a, b], &[b, "fd00:1::", a], 2),
    ] {
        let (first, second) = (of(first, 1), of(second, 2));
        let [first, second] =
            [&first, &second].map(|all| all.iter().map(String::as_str).collect::<Vec<_>>());
        let pair = Pair {
            advertised: [&first, &second],
            shared: "",
            silent: &[],
        };
        assert_eq!(pair.next_hop(true).1, expected, "{first:?} {second:?}");
        assert_eq!(pair.next_hop(false).1, expected, "{first:?} {second:?}");
    }
}

#[test]
fn shared_or_silent_address_is_used_only_without_another() {
    let (real, vip, other) = ("192.168.1.2", "192.168.1.100", "172.16.0.2");
    for (addresses, shared, silent, expected) in [
        (&[vip, real][..], "", &[][..], vip),
        (&[vip, real], vip, &[], real),
        (&[vip, real], "", &[vip], real),
        (&[vip], vip, &[vip], vip),
        (&[real, other], "", &[real], other),
        (&[real, other], "", &[other], real),
        // The peer is gone: nothing changes.
        (&[real, other], "", &[real, other], real),
        (&[real, "fd00:1::2"], "", &[real], "fd00:1::2"),
        // What is silent leads nowhere, what is shared may.
        (&[vip, real], vip, &[real], real),
    ] {
        let pair = Pair {
            advertised: [&["192.168.1.1"], addresses],
            shared,
            silent,
        };
        assert_eq!(
            pair.next_hop(true).0,
            expected,
            "{addresses:?} {shared} {silent:?}"
        );
    }
}
