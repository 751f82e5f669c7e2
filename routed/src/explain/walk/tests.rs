use super::*;
use crate::doctor::Setting;
use crate::explain::facts::{
    AddressHolder, DesiredRoute, KernelRoute, ProbeResult, ProbedNextHop, RemotePod,
};
use crate::firewall::{BlockingChain, Survey};
use crate::packet_paths::{Examined, PathFault};
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

fn local_pod() -> LocalPod {
    LocalPod {
        holder: Some(AddressHolder {
            name: "pod default/a".into(),
            interface: "flat1".into(),
            state: LinkState::Up,
        }),
        route: Some(route("flat1", None)),
        owned: vec![subnet("10.244.7.0/24")],
    }
}

fn remote_pod() -> RemotePod {
    RemotePod {
        node: node("n2"),
        addresses: vec!["192.168.1.12".parse().unwrap()],
        present: Some(true),
        desired: Some(DesiredRoute {
            target: Some(RouteTarget::Via {
                gateway: "192.168.1.12".parse().unwrap(),
                dev: "eth0".into(),
            }),
            reason: None,
        }),
        actual: Ok(route("eth0", Some("192.168.1.12"))),
        next_hop: Some(ProbedNextHop {
            address: "192.168.1.12".parse().unwrap(),
            link: "eth0".into(),
            link_state: LinkState::Up,
            probe: ProbeResult::Answered,
        }),
    }
}

fn facts() -> PathFacts {
    PathFacts {
        node: Some(node("n1")),
        ends: [
            PodFacts {
                name: "default/a".into(),
                address: "10.244.7.2".parse().unwrap(),
                claim: Ok(Some((subnet("10.244.7.0/24"), node("n1")))),
                location: PodLocation::Local(local_pod()),
            },
            PodFacts {
                name: "10.244.9.2".into(),
                address: "10.244.9.2".parse().unwrap(),
                claim: Ok(Some((subnet("10.244.9.0/24"), node("n2")))),
                location: PodLocation::Remote(Box::new(remote_pod())),
            },
        ],
        forwarding: Setting {
            name: "net/ipv4/ip_forward".into(),
            value: Ok("1".into()),
        },
        firewall: Ok(Survey::default()),
        packets: Ok(Examined {
            queries: 4,
            ..Examined::default()
        }),
    }
}

/// The links that are broken after `change`.
fn broken(change: impl FnOnce(&mut PathFacts)) -> Vec<&'static str> {
    let mut facts = facts();
    change(&mut facts);
    let steps = walk(&facts).into_iter();
    let broken = steps.filter(|step| step.severity == Severity::Broken);
    broken
        .inspect(|step| assert!(step.fix.is_some(), "{step:?}"))
        .map(|step| step.link)
        .collect()
}

fn local(facts: &mut PathFacts) -> &mut LocalPod {
    match &mut facts.ends[0].location {
        PodLocation::Local(pod) => pod,
        _ => unreachable!("the first pod is local"),
    }
}

fn holder(facts: &mut PathFacts) -> &mut AddressHolder {
    local(facts).holder.as_mut().expect("a holder")
}

fn remote(facts: &mut PathFacts) -> &mut RemotePod {
    match &mut facts.ends[1].location {
        PodLocation::Remote(pod) => pod,
        _ => unreachable!("the second pod is remote"),
    }
}

fn next_hop(facts: &mut PathFacts) -> &mut ProbedNextHop {
    remote(facts).next_hop.as_mut().expect("a next hop")
}

#[test]
fn healthy_path_has_all_links_and_leaves_the_rest_to_the_peer() {
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
            "packets",
            "claim",
            "peer",
            "route",
            "next hop",
            "the peer's side",
        ]
    );
    let (last, rest) = steps.split_last().unwrap();
    assert!(
        rest.iter().all(|step| step.severity == Severity::Ok),
        "{rest:#?}"
    );
    assert_eq!(last.severity, Severity::Unknown);
    let fix = last.fix.as_deref().unwrap_or_default();
    assert!(
        fix.contains("routed explain 10.244.9.2 10.244.7.2"),
        "{fix}"
    );
}

#[test]
fn broken_link_of_a_local_pod_is_the_only_finding() {
    assert_eq!(broken(|facts| local(facts).holder = None), ["address"]);
    for state in [LinkState::Missing, LinkState::Down, LinkState::NoCarrier] {
        assert_eq!(broken(|facts| holder(facts).state = state), ["interface"]);
    }
    assert_eq!(broken(|facts| facts.ends[0].claim = Ok(None)), ["claim"]);
    let other = Ok(Some((subnet("10.244.7.0/24"), node("n3"))));
    assert_eq!(broken(|facts| facts.ends[0].claim = other), ["claim"]);
    assert_eq!(broken(|facts| local(facts).owned.clear()), ["claim"]);
    let unowned = |facts: &mut PathFacts| {
        local(facts).owned.clear();
        facts.ends[0].claim = Ok(None);
    };
    assert_eq!(broken(unowned), ["claim"]);
    assert_eq!(broken(|facts| local(facts).route = None), ["host route"]);
    let elsewhere = Some(route("eth0", None));
    assert_eq!(
        broken(|facts| local(facts).route = elsewhere),
        ["host route"]
    );
}

#[test]
fn broken_link_of_this_node_is_the_only_finding() {
    assert_eq!(
        broken(|facts| facts.forwarding.value = Ok("0".into())),
        ["forwarding"]
    );
    let chain = |passes| BlockingChain {
        chain: "FORWARD".into(),
        passes,
        fix: "let them".into(),
    };
    let survey = |passes| Survey {
        blocking_chains: vec![chain(passes)],
        ..Survey::default()
    };
    assert_eq!(
        broken(|facts| facts.firewall = Ok(survey(false))),
        ["firewall"]
    );
    assert_eq!(broken(|facts| facts.firewall = Ok(survey(true))), [""; 0]);
}

#[test]
fn culprit_of_misrouted_packets_is_named_before_the_route() {
    let mut facts = facts();
    facts.packets = Ok(Examined {
        queries: 4,
        faults: vec![PathFault {
            text: "the policy rule".into(),
            fix: "ip rule del".into(),
        }],
        ..Examined::default()
    });
    remote(&mut facts).actual = Ok(route("eth0", Some("192.168.1.1")));
    let steps = walk(&facts).into_iter();
    let broken: Vec<_> = steps.filter(|it| it.severity == Severity::Broken).collect();
    let [packets, route] = &broken[..] else {
        panic!("{broken:#?}");
    };
    assert_eq!(
        (packets.link, &*packets.evidence),
        ("packets", "the policy rule")
    );
    assert_eq!(packets.fix.as_deref(), Some("ip rule del"));
    let fix = route.fix.as_deref().unwrap_or_default();
    assert!(fix.starts_with("see packets"), "{fix}");
}

#[test]
fn broken_link_to_a_remote_pod_is_the_only_finding() {
    assert_eq!(broken(|facts| facts.ends[1].claim = Ok(None)), ["claim"]);
    let refused = Some(DesiredRoute {
        target: None,
        reason: Some("unreachable peer".into()),
    });
    assert_eq!(broken(|facts| remote(facts).desired = refused), ["route"]);
    assert_eq!(
        broken(|facts| remote(facts).actual = Err("no route".into())),
        ["route"]
    );
    let other = || Ok(route("eth0", Some("192.168.1.1")));
    assert_eq!(broken(|facts| remote(facts).actual = other()), ["route"]);
    let without_daemon = |facts: &mut PathFacts| remote(facts).desired = None;
    assert_eq!(broken(without_daemon), [""; 0], "it leads to the peer");
    let without_daemon_or_route = |facts: &mut PathFacts| {
        remote(facts).desired = None;
        remote(facts).actual = other();
    };
    assert_eq!(broken(without_daemon_or_route), ["route"]);
    for state in [LinkState::Missing, LinkState::Down, LinkState::NoCarrier] {
        assert_eq!(
            broken(|facts| next_hop(facts).link_state = state),
            ["next hop"]
        );
    }
    assert_eq!(
        broken(|facts| next_hop(facts).probe = ProbeResult::Unresolved),
        ["next hop"]
    );
    assert_eq!(
        broken(|facts| next_hop(facts).probe = ProbeResult::Silent),
        [""; 0]
    );
    assert_eq!(broken(|facts| remote(facts).present = Some(false)), [""; 0]);
}

#[test]
fn unclaimed_address_is_broken_only_if_the_registry_is_read() {
    let unclaimed = |facts: &mut PathFacts| {
        facts.ends[1].location = PodLocation::Unknown;
        facts.ends[1].claim = Ok(None);
    };
    assert_eq!(broken(unclaimed), ["claim"]);
    let unreadable = |facts: &mut PathFacts| {
        facts.ends[1].location = PodLocation::Unknown;
        facts.ends[1].claim = Err("etcd is away".into());
    };
    assert_eq!(broken(unreadable), [""; 0]);
}
