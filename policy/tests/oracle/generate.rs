//! Random events, from few names and addresses, so that they have to do with each other.

use std::net::IpAddr;

use policy::api::{
    IpBlock, L4Protocol, LabelSelector, NamedPort, Namespace, NetworkPolicy,
    NetworkPolicyEgressRule, NetworkPolicyIngressRule, NetworkPolicyPeer, NetworkPolicyPort,
    NetworkPolicySpec, ObjectMeta, Pod, PortNumberOrName,
};
use policy::cluster::LedgerPod;
use policy::compile::PolicyEvent;
use policy::rules::PodName;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use crate::cluster_policies::cluster_policy;
use crate::parts::{cidr, labels, selector};

const NAMESPACES: [&str; 3] = ["a", "b", "c"];

/// Addresses of pods have the last number 1 to 5; 9 is outside the cluster.
pub(crate) fn addresses() -> Vec<IpAddr> {
    let numbers = [1, 2, 3, 4, 5, 9];
    let both = numbers.iter().flat_map(|it| both_families(*it));
    both.collect()
}

fn both_families(number: u16) -> [IpAddr; 2] {
    let v4 = [10, 0, 0, u8::try_from(number).unwrap()];
    [
        IpAddr::from(v4),
        IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 0, number]),
    ]
}

pub(crate) fn events() -> impl Strategy<Value = Vec<PolicyEvent>> {
    let namespace = || select(&NAMESPACES[..]);
    let event = prop_oneof![
        8 => pod().prop_map(PolicyEvent::PodApplied),
        2 => pod_name().prop_map(PolicyEvent::PodDeleted),
        3 => (namespace(), labels()).prop_map(|(name, labels)| {
            PolicyEvent::NamespaceApplied(Namespace {
                name: name.to_owned(),
                labels,
                ..Default::default()
            })
        }),
        1 => namespace().prop_map(|name| PolicyEvent::NamespaceDeleted(name.to_owned())),
        5 => network_policy().prop_map(PolicyEvent::NetworkPolicyApplied),
        1 => (namespace(), 0..2_u8).prop_map(|(namespace, name)| {
            let (namespace, name) = (namespace.to_owned(), format!("n{name}"));
            PolicyEvent::NetworkPolicyDeleted { namespace, name }
        }),
        4 => cluster_policy().prop_map(PolicyEvent::ClusterNetworkPolicyApplied),
        1 => (0..3_u8).prop_map(|name| PolicyEvent::ClusterNetworkPolicyDeleted(format!("c{name}"))),
        5 => local_pod().prop_map(PolicyEvent::LocalPodAdded),
        1 => (0..4_u8).prop_map(|id| PolicyEvent::LocalPodRemoved(id.to_string())),
    ];
    // All namespaces first: without them no pod of the node is decided.
    let seen = NAMESPACES.map(|name| {
        PolicyEvent::NamespaceApplied(Namespace {
            name: name.to_owned(),
            labels: [("team".to_owned(), name.to_owned())].into(),
            ..Default::default()
        })
    });
    vec(event, 1..48).prop_map(move |events| seen.iter().cloned().chain(events).collect())
}

fn pod_name() -> impl Strategy<Value = PodName> {
    let name = (select(&NAMESPACES[..]), 0..3_u8);
    name.prop_map(|(namespace, name)| PodName::new(namespace, &format!("p{name}")))
}

fn pod_addresses() -> impl Strategy<Value = Vec<IpAddr>> {
    prop_oneof![
        4 => (1..6_u16).prop_map(|it| both_families(it).to_vec()),
        1 => (1..6_u16).prop_map(|it| vec![both_families(it)[0]]),
        1 => Just(Vec::new()),
    ]
}

fn protocol() -> impl Strategy<Value = L4Protocol> {
    prop_oneof![3 => Just(L4Protocol::Tcp), 1 => Just(L4Protocol::Udp), 1 => Just(L4Protocol::Sctp)]
}

fn pod() -> impl Strategy<Value = Pod> {
    let port = (
        select(&["web", "sql"][..]),
        protocol(),
        select(&[80, 8080, 9000][..]),
    );
    let port = port.prop_map(|(name, protocol, port)| NamedPort {
        name: name.to_owned(),
        protocol,
        port,
    });
    let flags = (
        prop::bool::weighted(0.1),
        prop::bool::weighted(0.15),
        option::weighted(0.1, 0..2_u8),
    );
    let parts = (
        pod_name(),
        0..2_u8,
        labels(),
        pod_addresses(),
        vec(port, 0..3),
        flags,
        0..2_u8,
    );
    parts.prop_map(|(name, uid, labels, addresses, named_ports, flags, node)| {
        let (host_network, has_ended, mirrored) = flags;
        Pod {
            namespace: name.namespace.to_string(),
            name: name.name.to_string(),
            uid: format!("u{uid}"),
            mirrored_uid: mirrored.map(|it| format!("u{it}")),
            labels,
            node_name: format!("node-{node}"),
            host_network,
            addresses,
            has_ended,
            named_ports,
            ..Default::default()
        }
    })
}

fn local_pod() -> impl Strategy<Value = LedgerPod> {
    let parts = (
        0..4_u8,
        pod_name(),
        option::weighted(0.8, 0..2_u8),
        pod_addresses(),
    );
    parts.prop_map(|(id, name, uid, addresses)| LedgerPod {
        id: id.to_string(),
        name,
        uid: uid.map(|it| format!("u{it}")),
        addresses,
    })
}

fn ip_block() -> impl Strategy<Value = IpBlock> {
    let exceptions = vec(
        select(vec!["10.0.0.1/32", "10.0.0.2/31", "10.0.0.0/29"]),
        1..3,
    );
    let with_except = exceptions.prop_map(|except| IpBlock {
        cidr: "10.0.0.0/8".to_owned(),
        except: except.into_iter().map(str::to_owned).collect(),
    });
    let plain = cidr().prop_map(|cidr| IpBlock {
        cidr,
        ..Default::default()
    });
    prop_oneof![plain, with_except]
}

fn peer() -> impl Strategy<Value = NetworkPolicyPeer> {
    let selectors = (option::of(selector()), option::of(selector()));
    let selectors = selectors.prop_map(|(namespaces, pods)| NetworkPolicyPeer {
        // One of the two is always there.
        pod_selector: pods.or_else(|| namespaces.is_none().then(LabelSelector::default)),
        namespace_selector: namespaces,
        ip_block: None,
    });
    let block = ip_block().prop_map(|block| NetworkPolicyPeer {
        ip_block: Some(block),
        ..Default::default()
    });
    prop_oneof![3 => selectors, 1 => block]
}

fn port() -> impl Strategy<Value = NetworkPolicyPort> {
    let port = prop_oneof![
        1 => Just((None, None)),
        3 => select(vec![80, 53, 9000]).prop_map(|it| (Some(PortNumberOrName::Number(it)), None)),
        1 => Just((Some(PortNumberOrName::Number(79)), Some(8080))),
        2 => select(vec!["web", "sql"]).prop_map(|it| (Some(PortNumberOrName::Name(it.to_owned())), None)),
    ];
    let word = option::of(select(vec!["TCP", "UDP", "SCTP"]));
    (word, port).prop_map(|(protocol, (port, end_port))| NetworkPolicyPort {
        protocol: protocol.map(str::to_owned),
        port,
        end_port,
    })
}

fn network_policy() -> impl Strategy<Value = NetworkPolicy> {
    let ingress = (vec(peer(), 0..3), vec(port(), 0..3));
    let ingress = ingress.prop_map(|(from, ports)| NetworkPolicyIngressRule { from, ports });
    let egress = (vec(peer(), 0..3), vec(port(), 0..3));
    let egress = egress.prop_map(|(to, ports)| NetworkPolicyEgressRule { to, ports });
    let types = select(vec![
        vec![],
        vec!["Ingress"],
        vec!["Egress"],
        vec!["Ingress", "Egress"],
    ]);
    let names = (select(&NAMESPACES[..]), 0..2_u8);
    let parts = (
        names,
        selector(),
        vec(ingress, 0..3),
        vec(egress, 0..3),
        types,
    );
    parts.prop_map(
        |((namespace, name), pod_selector, ingress, egress, types)| NetworkPolicy {
            metadata: ObjectMeta {
                namespace: namespace.to_owned(),
                name: format!("n{name}"),
                ..Default::default()
            },
            spec: NetworkPolicySpec {
                pod_selector,
                ingress,
                egress,
                policy_types: types.into_iter().map(str::to_owned).collect(),
            },
        },
    )
}
