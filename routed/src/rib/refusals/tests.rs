use registry::{Claim, Network, NodeRecord, Snapshot};

use super::*;
use crate::rib::connected::ConnectedRoutes;
use crate::rib::silent_hops::SilentHops;

const V4: &str = "10.244.2.0/24";
const V6: &str = "fd00:10:244:2::/80";
const MORE: &str = "10.244.3.0/24";
const WRONG: &str = "10.9.2.0/24";

fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

/// The lines about n2, which has `addresses` and claims subnets in several steps.
fn refusals_of(addresses: &[&str], steps: &[&[&str]]) -> Vec<Vec<String>> {
    let network = Network {
        pod_cidrs: vec![net("10.244.0.0/16"), net("fd00:10:244::/56")],
        subnet_lengths: vec![24, 80],
    };
    let [n1, n2] = ["n1", "n2"].map(|name| NodeName::new(name).unwrap());
    let local = &LocalNode {
        registered_machine: None,
        node: n1.clone(),
        network: network.clone(),
        owned: Vec::new(),
        links: Vec::new(),
        connected: ConnectedRoutes::of(&[]),
        silent: SilentHops::default(),
        cross_subnet: None,
    };
    let record = NodeRecord {
        addresses: addresses.iter().map(|text| text.parse().unwrap()).collect(),
        machine_id: String::new(),
        session: None,
    };
    let (mut rib, mut view) = (Rib::default(), Snapshot::default());
    view.network = Some(network.clone());
    view.nodes.insert(n2.clone(), record);
    let step = |claimed: &&[&str]| {
        let claimed = claimed.iter().map(|text| net(text));
        view.subnets
            .extend(claimed.map(|subnet| (subnet, Claim { node: n2.clone() })));
        rib.reset(view.clone(), local);
        let mut refused = Refused::default();
        for subnet in view.subnets.keys() {
            rib.path_to(*subnet, local, &mut refused);
        }
        let reasons = refused.get(&n2).map(|subnets| rib.by_reason(&n2, subnets));
        let shown = |(subnets, refusal): (Vec<IpNet>, &Refusal)| {
            let subnets: Vec<_> = subnets.iter().map(ToString::to_string).collect();
            format!("{} {}", refusal.name(), subnets.join(" "))
        };
        reasons.into_iter().flatten().map(shown).collect()
    };
    steps.iter().map(step).collect()
}

#[test]
fn refusals_of_a_peer_are_logged_once_per_reason() {
    let both = &["192.168.9.2", "fd00:9::2"][..];
    let unreachable = format!("unreachable {V4} {V6}");
    let invalid = format!("invalid {WRONG}");
    for (addresses, steps, expected) in [
        (both, &[&[V4, V6][..]][..], &[&[&*unreachable][..]][..]),
        (
            both,
            &[&[V4], &[V6], &[MORE]],
            &[&[&*format!("unreachable {V4}")], &[], &[]],
        ),
        (
            both,
            &[&[V4, V6], &[WRONG]],
            &[&[&*unreachable], &[&*invalid]],
        ),
        (
            &[],
            &[&[V4, V6]],
            &[&[&*format!("not-announced {V4} {V6}")]],
        ),
        (
            &both[..1],
            &[&[V4, V6]],
            &[&[&*format!("unreachable {V4}"), &*format!("no-address {V6}")]],
        ),
    ] {
        assert_eq!(
            refusals_of(addresses, steps),
            expected,
            "{addresses:?} {steps:?}"
        );
    }
}
