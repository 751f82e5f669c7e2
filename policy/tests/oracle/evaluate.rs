//! What the API's documentation says of a connection: read object by object, with nothing prepared.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use policy::api::{
    ClusterNetworkPolicy, ClusterNetworkPolicyPeer, ClusterNetworkPolicyPort,
    ClusterNetworkPolicyProtocol, ClusterNetworkPolicyRule, L4Protocol, LabelSelector,
    NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort, Pod, PortNumberOrName,
};
use policy::rules::{PodConnection, PodName, TrafficDirection};

use crate::world::OracleWorld;

/// A connection as the pod sees it whose policies are read.
struct Question<'a> {
    world: &'a OracleWorld,
    direction: TrafficDirection,
    own: &'a Pod,
    /// The pods that may be the other end.
    others: Vec<&'a Pod>,
    other_address: IpAddr,
    connection: &'a PodConnection,
}

impl OracleWorld {
    /// What a node says: `None` if the end of this direction is not on it.
    pub(crate) fn verdict(
        &self,
        direction: TrafficDirection,
        connection: &PodConnection,
    ) -> Option<bool> {
        let PodConnection {
            source,
            destination,
            ..
        } = *connection;
        let (own, other) = match direction {
            TrafficDirection::Egress => (source, destination),
            TrafficDirection::Ingress => (destination, source),
        };
        let local = self.holder(own)?;
        if own == other {
            return Some(true);
        }
        let Some(pod) = self
            .pod_of(local)
            .filter(|it| self.namespaces.contains_key(&it.namespace))
        else {
            return Some(false);
        };
        Some(self.ask(direction, pod, self.owners(other), other, connection))
    }

    /// What the policies of both pods say, on whichever nodes these are.
    pub(crate) fn between(&self, ends: [&PodName; 2], connection: &PodConnection) -> [bool; 2] {
        let [source, destination] =
            ends.map(|it| &self.pods[&(it.namespace.to_string(), it.name.to_string())]);
        let ask = |direction, own: &Pod, other: &Pod, other_address| {
            let is_self = connection.source == connection.destination;
            let is_own_node =
                other.host_network && !own.node_name.is_empty() && own.node_name == other.node_name;
            let others = Some(other)
                .filter(|it| !it.host_network)
                .into_iter()
                .collect();
            is_self || is_own_node || self.ask(direction, own, others, other_address, connection)
        };
        [
            ask(
                TrafficDirection::Egress,
                source,
                destination,
                connection.destination,
            ),
            ask(
                TrafficDirection::Ingress,
                destination,
                source,
                connection.source,
            ),
        ]
    }

    fn ask(
        &self,
        direction: TrafficDirection,
        own: &Pod,
        others: Vec<&Pod>,
        other_address: IpAddr,
        connection: &PodConnection,
    ) -> bool {
        let question = Question {
            world: self,
            direction,
            own,
            others,
            other_address,
            connection,
        };
        own.host_network || question.answer()
    }
}

impl Question<'_> {
    /// The tiers in their order.
    fn answer(&self) -> bool {
        if let Some(is_allowed) = self.tier("Admin") {
            return is_allowed;
        }
        let policies = self.world.policies.values();
        let isolating: Vec<_> = policies.filter(|it| self.does_isolate(it)).collect();
        if !isolating.is_empty() {
            return isolating.iter().any(|it| self.does_policy_allow(it));
        }
        self.tier("Baseline").unwrap_or(true)
    }

    /// `None` if the tier leaves it to the next.
    fn tier(&self, tier: &str) -> Option<bool> {
        let policies = self.world.cluster_policies.values();
        let mut policies: Vec<_> = policies.filter(|it| it.spec.tier == tier).collect();
        policies.sort_by_key(|it| (it.spec.priority, it.metadata.name.clone()));
        for policy in policies.into_iter().filter(|it| self.is_subject(it)) {
            let rules = match self.direction {
                TrafficDirection::Egress => &policy.spec.egress,
                TrafficDirection::Ingress => &policy.spec.ingress,
            };
            for rule in rules {
                match self.action(rule) {
                    Some("Accept") => return Some(true),
                    Some("Deny") => return Some(false),
                    Some(_) => return None,
                    None => {}
                }
            }
        }
        None
    }

    fn is_subject(&self, policy: &ClusterNetworkPolicy) -> bool {
        let subject = &policy.spec.subject;
        let of_namespaces = subject.namespaces.as_ref();
        let of_pods = subject.pods.as_ref();
        of_namespaces.is_some_and(|it| self.is_in(it, self.own))
            || of_pods.is_some_and(|it| {
                self.is_in(&it.namespace_selector, self.own)
                    && does_select(&it.pod_selector, &self.own.labels)
            })
    }

    /// What a rule does if it matches, and if it cannot be read.
    fn action<'a>(&self, rule: &'a ClusterNetworkPolicyRule) -> Option<&'a str> {
        let is_egress = self.direction == TrafficDirection::Egress;
        let is_known = |peer: &ClusterNetworkPolicyPeer| {
            peer.namespaces.is_some()
                || peer.pods.is_some()
                || is_egress && (peer.networks.is_some() || is_unsupported(peer))
        };
        let is_open = rule.action == "Accept";
        let can_be_read = rule.peers.iter().all(is_known)
            && (is_open || !is_egress || !rule.peers.iter().any(is_unsupported));
        if !can_be_read {
            return (!is_open).then_some("Deny");
        }
        let does_match = rule.peers.iter().any(|peer| match &rule.protocols {
            None => self.is_cluster_peer(peer, None),
            Some(protocols) => protocols
                .iter()
                .any(|it| self.is_cluster_peer(peer, Some(it))),
        });
        does_match.then_some(rule.action.as_str())
    }

    fn is_cluster_peer(
        &self,
        peer: &ClusterNetworkPolicyPeer,
        protocol: Option<&ClusterNetworkPolicyProtocol>,
    ) -> bool {
        let is_port = |other: Option<&Pod>| match protocol {
            None => true,
            Some(protocol) => self.is_cluster_port(protocol, other),
        };
        let networks = peer.networks.iter().flatten();
        let mut networks = networks.filter(|_| self.direction == TrafficDirection::Egress);
        if networks.any(|it| is_in_cidr(it, self.other_address)) {
            return is_port(None) || self.others.iter().any(|it| is_port(Some(it)));
        }
        self.others.iter().any(|other| {
            let of_namespaces = peer.namespaces.as_ref();
            let of_pods = peer.pods.as_ref();
            let is_peer = of_namespaces.is_some_and(|it| self.is_in(it, other))
                || of_pods.is_some_and(|it| {
                    self.is_in(&it.namespace_selector, other)
                        && does_select(&it.pod_selector, &other.labels)
                });
            is_peer && is_port(Some(other))
        })
    }

    fn is_cluster_port(&self, port: &ClusterNetworkPolicyProtocol, other: Option<&Pod>) -> bool {
        let PodConnection {
            protocol,
            port: number,
            ..
        } = *self.connection;
        if let Some(name) = &port.destination_named_port {
            return self.has_port(other, name, None);
        }
        let is_in = |it: &ClusterNetworkPolicyPort| {
            let it = it.destination_port.as_ref().unwrap();
            match &it.range {
                Some(span) => (span.start..=span.end).contains(&i32::from(number)),
                None => it.number == Some(i32::from(number)),
            }
        };
        match protocol {
            L4Protocol::Tcp => port.tcp.as_ref().is_some_and(is_in),
            L4Protocol::Udp => port.udp.as_ref().is_some_and(is_in),
            L4Protocol::Sctp => port.sctp.as_ref().is_some_and(is_in),
            L4Protocol::Other(_) => false,
        }
    }

    /// Whether the destination, which may be `other`, has this name for the connection's port.
    fn has_port(&self, other: Option<&Pod>, name: &str, protocol: Option<L4Protocol>) -> bool {
        let destination = match self.direction {
            TrafficDirection::Egress => other,
            TrafficDirection::Ingress => Some(self.own),
        };
        let mut ports = destination.into_iter().flat_map(|it| &it.named_ports);
        ports.any(|it| {
            it.name == name
                && it.port == self.connection.port
                && it.protocol == self.connection.protocol
                && protocol.is_none_or(|protocol| protocol == it.protocol)
        })
    }

    fn does_isolate(&self, policy: &NetworkPolicy) -> bool {
        let spec = &policy.spec;
        let has = |word: &str| spec.policy_types.iter().any(|it| it == word);
        let is_of_direction = match (self.direction, spec.policy_types.is_empty()) {
            (TrafficDirection::Ingress, true) => true,
            (TrafficDirection::Egress, true) => !spec.egress.is_empty(),
            (TrafficDirection::Ingress, false) => has("Ingress"),
            (TrafficDirection::Egress, false) => has("Egress"),
        };
        is_of_direction
            && policy.metadata.namespace == self.own.namespace
            && does_select(&spec.pod_selector, &self.own.labels)
    }

    fn does_policy_allow(&self, policy: &NetworkPolicy) -> bool {
        let namespace = policy.metadata.namespace.as_str();
        let mut rules: Vec<(&Vec<NetworkPolicyPeer>, &Vec<NetworkPolicyPort>)> = Vec::new();
        match self.direction {
            TrafficDirection::Ingress => {
                rules.extend(policy.spec.ingress.iter().map(|it| (&it.from, &it.ports)));
            }
            TrafficDirection::Egress => {
                rules.extend(policy.spec.egress.iter().map(|it| (&it.to, &it.ports)));
            }
        }
        rules.into_iter().any(|(peers, ports)| {
            let others = self.others.iter().copied().map(Some).chain([None]);
            others.into_iter().any(|other| {
                let is_peer = |it| self.is_peer(it, namespace, other);
                let is_port = |it: &NetworkPolicyPort| self.is_port(it, other);
                (peers.is_empty() || peers.iter().any(is_peer))
                    && (ports.is_empty() || ports.iter().any(is_port))
            })
        })
    }

    /// `other` is a pod that may be the other end, or nothing but its address.
    fn is_peer(&self, peer: &NetworkPolicyPeer, namespace: &str, other: Option<&Pod>) -> bool {
        if let Some(block) = &peer.ip_block {
            let is_in = |cidr: &String| is_in_cidr(cidr, self.other_address);
            return is_in(&block.cidr) && !block.except.iter().any(is_in);
        }
        other.is_some_and(|other| {
            let is_in_scope = match &peer.namespace_selector {
                Some(selector) => self.is_in(selector, other),
                None => other.namespace == namespace,
            };
            let pods = peer.pod_selector.as_ref();
            is_in_scope && pods.is_none_or(|it| does_select(it, &other.labels))
        })
    }

    fn is_port(&self, port: &NetworkPolicyPort, other: Option<&Pod>) -> bool {
        let protocol = match port.protocol.as_deref() {
            Some("UDP") => L4Protocol::Udp,
            Some("SCTP") => L4Protocol::Sctp,
            _ => L4Protocol::Tcp,
        };
        let number = i32::from(self.connection.port);
        match &port.port {
            Some(PortNumberOrName::Name(name)) => self.has_port(other, name, Some(protocol)),
            Some(PortNumberOrName::Number(first)) => {
                let last = port.end_port.unwrap_or(*first);
                protocol == self.connection.protocol && (*first..=last).contains(&number)
            }
            None => protocol == self.connection.protocol,
        }
    }

    /// Whether a pod is in a namespace that is selected. An empty selector selects all of them.
    fn is_in(&self, selector: &LabelSelector, pod: &Pod) -> bool {
        if *selector == LabelSelector::default() {
            return true;
        }
        let namespace = self.world.namespaces.get(&pod.namespace);
        namespace.is_some_and(|it| does_select(selector, &it.labels))
    }
}

fn is_unsupported(peer: &ClusterNetworkPolicyPeer) -> bool {
    peer.nodes.is_some() || peer.domain_names.is_some()
}

fn is_in_cidr(cidr: &str, address: IpAddr) -> bool {
    cidr.parse::<IpNet>().unwrap().contains(&address)
}

fn does_select(selector: &LabelSelector, labels: &BTreeMap<String, String>) -> bool {
    let mut equal = selector.match_labels.iter();
    equal.all(|(key, value)| labels.get(key) == Some(value))
        && selector.match_expressions.iter().all(|it| {
            let value = labels.get(&it.key);
            let is_listed = value.is_some_and(|value| it.values.contains(value));
            match it.operator.as_str() {
                "In" => is_listed,
                "NotIn" => !is_listed,
                "Exists" => value.is_some(),
                "DoesNotExist" => value.is_none(),
                other => panic!("{other}"),
            }
        })
}
