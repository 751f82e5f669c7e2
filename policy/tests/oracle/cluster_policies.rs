//! Random policies of the cluster.

use policy::api::{
    ClusterNetworkPolicy, ClusterNetworkPolicyPeer, ClusterNetworkPolicyPort,
    ClusterNetworkPolicyProtocol, ClusterNetworkPolicyRule, ClusterNetworkPolicySpec,
    ClusterNetworkPolicySubject, DestinationPort, NamespacedPods, ObjectMeta, PortSpan,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use crate::parts::{cidr, selector};

fn namespaced_pods() -> impl Strategy<Value = NamespacedPods> {
    (selector(), selector()).prop_map(|(namespace_selector, pod_selector)| NamespacedPods {
        namespace_selector,
        pod_selector,
    })
}

fn cluster_peer() -> impl Strategy<Value = ClusterNetworkPolicyPeer> {
    let empty = ClusterNetworkPolicyPeer::default;
    prop_oneof![
        6 => selector().prop_map(move |it| ClusterNetworkPolicyPeer { namespaces: Some(it), ..empty() }),
        6 => namespaced_pods().prop_map(move |it| ClusterNetworkPolicyPeer { pods: Some(it), ..empty() }),
        4 => vec(cidr(), 1..3).prop_map(move |it| ClusterNetworkPolicyPeer { networks: Some(it), ..empty() }),
        1 => selector().prop_map(move |it| ClusterNetworkPolicyPeer { nodes: Some(it), ..empty() }),
        1 => Just(empty()),
    ]
}

fn cluster_protocol() -> impl Strategy<Value = ClusterNetworkPolicyProtocol> {
    let number = select(vec![80, 53, 9000]).prop_map(|it| DestinationPort {
        number: Some(it),
        range: None,
    });
    let range = Just(DestinationPort {
        number: None,
        range: Some(PortSpan {
            start: 79,
            end: 8080,
        }),
    });
    let port = prop_oneof![number, range].prop_map(|it| ClusterNetworkPolicyPort {
        destination_port: Some(it),
    });
    let empty = ClusterNetworkPolicyProtocol::default;
    (port, 0..4_u8).prop_map(move |(port, kind)| match kind {
        0 => ClusterNetworkPolicyProtocol {
            tcp: Some(port),
            ..empty()
        },
        1 => ClusterNetworkPolicyProtocol {
            udp: Some(port),
            ..empty()
        },
        2 => ClusterNetworkPolicyProtocol {
            sctp: Some(port),
            ..empty()
        },
        _ => ClusterNetworkPolicyProtocol {
            destination_named_port: Some("web".to_owned()),
            ..empty()
        },
    })
}

pub(crate) fn cluster_policy() -> impl Strategy<Value = ClusterNetworkPolicy> {
    let rule = || {
        let action = select(vec!["Accept", "Deny", "Pass"]);
        let parts = (
            action,
            vec(cluster_peer(), 1..3),
            option::of(vec(cluster_protocol(), 1..3)),
        );
        parts.prop_map(|(action, peers, protocols)| ClusterNetworkPolicyRule {
            name: String::new(),
            action: action.to_owned(),
            peers,
            protocols,
        })
    };
    let subject = prop_oneof![
        selector().prop_map(|it| (Some(it), None)),
        namespaced_pods().prop_map(|it| (None, Some(it))),
    ];
    let subject =
        subject.prop_map(|(namespaces, pods)| ClusterNetworkPolicySubject { namespaces, pods });
    let order = (0..3_u8, select(vec!["Admin", "Baseline"]), 0..2_i32);
    let parts = (order, subject, vec(rule(), 0..3), vec(rule(), 0..3));
    parts.prop_map(
        |((name, tier, priority), subject, ingress, egress)| ClusterNetworkPolicy {
            metadata: ObjectMeta {
                name: format!("c{name}"),
                ..Default::default()
            },
            spec: ClusterNetworkPolicySpec {
                tier: tier.to_owned(),
                priority,
                subject,
                ingress,
                egress,
            },
        },
    )
}
