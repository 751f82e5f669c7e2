use super::*;
use crate::explain::{AddressHolder, KernelRoute, NextHop, ProbeResult, RemotePod};
use crate::firewall::{BlockingChain, Survey};
use crate::status::RouteTarget;
use ipnet::IpNet;
use wire::node::NodeName;

fn node(name: &str) -> NodeName {
    NodeName::new(name).unwrap()
}

fn subnet(text: &str) -> IpNet {
    text.parse().unwrap()
}

fn route(dev: &str, via: Option<&str>) -> KernelRoute {
    KernelRoute {
        dev: Some(dev.into()),
        via: via.map(|via| via.parse().unwrap()),
        text: format!("over {dev}"),
    }
}

fn here() -> LocalPod {
    LocalPod {
        holder: Some(AddressHolder {
            who: "pod default/a".into(),
            interface: "flat1".into(),
            state: Some((true, true)),
        }),
        route: Some(route("flat1", None)),
        owned: vec![subnet("10.244.7.0/24")],
    }
}

fn there() -> RemotePod {
    RemotePod {
        node: node("n2"),
        addresses: vec!["192.168.1.12".parse().unwrap()],
        present: Some(true),
        wanted: Some((
            Some(RouteTarget::Via {
                gateway: "192.168.1.12".parse().unwrap(),
                dev: "eth0".into(),
            }),
            None,
        )),
        taken: Ok(route("eth0", Some("192.168.1.12"))),
        hop: Some(NextHop {
            address: "192.168.1.12".parse().unwrap(),
            link: "eth0".into(),
            state: Some((true, true)),
            answer: ProbeResult::Alive,
        }),
    }
}

fn facts() -> PathFacts {
    PathFacts {
        node: Some(node("n1")),
        ends: [
            Endpoint {
                name: "default/a".into(),
                address: "10.244.7.2".parse().unwrap(),
                claim: Ok(Some((subnet("10.244.7.0/24"), node("n1")))),
                place: PodLocation::Here(here()),
            },
            Endpoint {
                name: "10.244.9.2".into(),
                address: "10.244.9.2".parse().unwrap(),
                claim: Ok(Some((subnet("10.244.9.0/24"), node("n2")))),
                place: PodLocation::There(Box::new(there())),
            },
        ],
        forwarding: ("net/ipv4/ip_forward".into(), Ok("1".into())),
        firewall: Ok(Survey::default()),
    }
}

/// The links that are broken after `change`.
fn broken(change: impl FnOnce(&mut PathFacts)) -> Vec<&'static str> {
    let mut facts = facts();
    change(&mut facts);
    let steps = walk(&facts).into_iter();
    let broken = steps.filter(|step| step.verdict == Severity::Broken);
    broken
        .inspect(|step| assert!(step.fix.is_some(), "{step:?}"))
        .map(|step| step.link)
        .collect()
}

fn here_of(facts: &mut PathFacts) -> &mut LocalPod {
    match &mut facts.ends[0].place {
        PodLocation::Here(here) => here,
        _ => unreachable!("the first pod is here"),
    }
}

fn holder_of(facts: &mut PathFacts) -> &mut AddressHolder {
    here_of(facts).holder.as_mut().expect("a holder")
}

fn there_of(facts: &mut PathFacts) -> &mut RemotePod {
    match &mut facts.ends[1].place {
        PodLocation::There(there) => there,
        _ => unreachable!("the second pod is there"),
    }
}

fn hop_of(facts: &mut PathFacts) -> &mut NextHop {
    there_of(facts).hop.as_mut().expect("a next hop")
}

#[test]
fn the_whole_way_is_walked_and_what_only_the_peer_can_see_is_left_to_it() {
    let steps = walk(&facts());
    let links: Vec<_> = steps.iter().map(|step| step.link).collect();
    assert_eq!(
        links,
        [
            "address",
            "interface",
            "claim",
            "host route",
            "forwarding",
            "firewall",
            "claim",
            "peer",
            "route",
            "next hop",
            "the peer's side",
        ]
    );
    let (last, rest) = steps.split_last().unwrap();
    assert!(
        rest.iter().all(|step| step.verdict == Severity::Ok),
        "{rest:#?}"
    );
    assert_eq!(last.verdict, Severity::Unknown);
    let fix = last.fix.as_deref().unwrap_or_default();
    assert!(
        fix.contains("routed explain 10.244.9.2 10.244.7.2"),
        "{fix}"
    );
}

#[test]
fn each_link_of_a_pod_of_this_node_is_found_broken_alone() {
    assert_eq!(broken(|facts| here_of(facts).holder = None), ["address"]);
    for state in [None, Some((false, false)), Some((true, false))] {
        assert_eq!(
            broken(|facts| holder_of(facts).state = state),
            ["interface"]
        );
    }
    assert_eq!(broken(|facts| facts.ends[0].claim = Ok(None)), ["claim"]);
    let other = Ok(Some((subnet("10.244.7.0/24"), node("n3"))));
    assert_eq!(broken(|facts| facts.ends[0].claim = other), ["claim"]);
    assert_eq!(broken(|facts| here_of(facts).owned.clear()), ["claim"]);
    let unowned = |facts: &mut PathFacts| {
        here_of(facts).owned.clear();
        facts.ends[0].claim = Ok(None);
    };
    assert_eq!(broken(unowned), ["claim"]);
    assert_eq!(broken(|facts| here_of(facts).route = None), ["host route"]);
    let elsewhere = Some(route("eth0", None));
    assert_eq!(
        broken(|facts| here_of(facts).route = elsewhere),
        ["host route"]
    );
}

#[test]
fn each_link_of_this_node_is_found_broken_alone() {
    assert_eq!(
        broken(|facts| facts.forwarding.1 = Ok("0".into())),
        ["forwarding"]
    );
    let wall = |passes| BlockingChain {
        chain: "FORWARD".into(),
        passes,
        fix: "let them".into(),
    };
    let walls = |passes| Survey {
        blocking_chains: vec![wall(passes)],
        ..Survey::default()
    };
    assert_eq!(
        broken(|facts| facts.firewall = Ok(walls(false))),
        ["firewall"]
    );
    assert_eq!(broken(|facts| facts.firewall = Ok(walls(true))), [""; 0]);
}

#[test]
fn each_link_to_a_pod_of_another_node_is_found_broken_alone() {
    assert_eq!(broken(|facts| facts.ends[1].claim = Ok(None)), ["claim"]);
    let refused = Some((None, Some("unreachable peer".into())));
    assert_eq!(broken(|facts| there_of(facts).wanted = refused), ["route"]);
    assert_eq!(
        broken(|facts| there_of(facts).taken = Err("no route".into())),
        ["route"]
    );
    let other = || Ok(route("eth0", Some("192.168.1.1")));
    assert_eq!(broken(|facts| there_of(facts).taken = other()), ["route"]);
    let alone = |facts: &mut PathFacts| there_of(facts).wanted = None;
    assert_eq!(broken(alone), [""; 0], "it leads to the peer");
    let alone_and_astray = |facts: &mut PathFacts| {
        there_of(facts).wanted = None;
        there_of(facts).taken = other();
    };
    assert_eq!(broken(alone_and_astray), ["route"]);
    for state in [None, Some((false, false)), Some((true, false))] {
        assert_eq!(broken(|facts| hop_of(facts).state = state), ["next hop"]);
    }
    assert_eq!(
        broken(|facts| hop_of(facts).answer = ProbeResult::Unresolved),
        ["next hop"]
    );
    assert_eq!(
        broken(|facts| hop_of(facts).answer = ProbeResult::Silent),
        [""; 0]
    );
    assert_eq!(
        broken(|facts| there_of(facts).present = Some(false)),
        [""; 0]
    );
}

#[test]
fn an_address_that_nobody_owns_breaks_the_claim_unless_nobody_can_be_asked() {
    let nowhere = |facts: &mut PathFacts| {
        facts.ends[1].place = PodLocation::Nowhere;
        facts.ends[1].claim = Ok(None);
    };
    assert_eq!(broken(nowhere), ["claim"]);
    let unasked = |facts: &mut PathFacts| {
        facts.ends[1].place = PodLocation::Nowhere;
        facts.ends[1].claim = Err("etcd is away".into());
    };
    assert_eq!(broken(unasked), [""; 0]);
}
