//! Ports of both kinds of policies.

use super::PortMatch;
use crate::api::{
    ClusterNetworkPolicyPort, ClusterNetworkPolicyProtocol, L4Protocol, NetworkPolicyPort,
    PortNumberOrName,
};

impl PortMatch {
    /// A port of a NetworkPolicy.
    pub(super) fn of_network_policy(port: &NetworkPolicyPort) -> Result<Self, String> {
        let word = port.protocol.as_deref().unwrap_or("TCP");
        let Some(protocol) = L4Protocol::parse(word) else {
            return Err(format!("unknown protocol {word:?}"));
        };
        match (&port.port, port.end_port) {
            (None, None) => Ok(Self::all(protocol)),
            (Some(PortNumberOrName::Number(number)), None) => range(protocol, *number, *number),
            (Some(PortNumberOrName::Number(number)), Some(end)) => range(protocol, *number, end),
            (Some(PortNumberOrName::Name(name)), None) => Ok(Self::Named {
                name: name.as_str().into(),
                protocol: Some(protocol),
            }),
            (_, Some(_)) => Err("endPort needs a port that is a number".to_owned()),
        }
    }

    /// A protocol of a ClusterNetworkPolicy. What has no known field is of a later version of the API.
    pub(super) fn of_cluster_policy(
        protocol: &ClusterNetworkPolicyProtocol,
    ) -> Result<Self, String> {
        let fields = [
            (&protocol.tcp, L4Protocol::Tcp),
            (&protocol.udp, L4Protocol::Udp),
            (&protocol.sctp, L4Protocol::Sctp),
        ];
        let mut found = fields
            .iter()
            .filter_map(|(it, kind)| Some((it.as_ref()?, *kind)));
        match (found.next(), found.next(), &protocol.destination_named_port) {
            (Some((port, kind)), None, None) => destination(port, kind),
            (None, None, Some(name)) if !name.is_empty() => Ok(Self::Named {
                name: name.as_str().into(),
                protocol: None,
            }),
            _ => Err("a protocol must have exactly one known field".to_owned()),
        }
    }

    fn all(protocol: L4Protocol) -> Self {
        Self::Range {
            protocol,
            first: 0,
            last: u16::MAX,
        }
    }
}

fn destination(port: &ClusterNetworkPolicyPort, kind: L4Protocol) -> Result<PortMatch, String> {
    let Some(port) = &port.destination_port else {
        return Err(format!("{kind} must have a known field"));
    };
    match (port.number, &port.range) {
        (Some(number), None) => range(kind, number, number),
        (None, Some(span)) => range(kind, span.start, span.end),
        _ => Err("destinationPort must have number or range".to_owned()),
    }
}

fn range(protocol: L4Protocol, first: i32, last: i32) -> Result<PortMatch, String> {
    let number = |it: i32| u16::try_from(it).ok().filter(|it| *it > 0);
    match (number(first), number(last)) {
        (Some(first), Some(last)) if first <= last => Ok(PortMatch::Range {
            protocol,
            first,
            last,
        }),
        (Some(_), Some(_)) => Err(format!("the ports {first} to {last} are none")),
        (None, _) => Err(format!("port {first} is not from 1 to 65535")),
        (_, None) => Err(format!("port {last} is not from 1 to 65535")),
    }
}
