//! Whether one pod of the cluster may reach another, and why: what the API says, on whichever nodes they
//! are.

use std::fmt;

use super::engine::Engine;
use super::judge::{DirectionExplanation, Judge, PodEnd};
use crate::api::L4Protocol;
use crate::cluster::{PodId, PodRecord};
use crate::rules::{PodConnection, PodName, TrafficDirection};

/// What the policies say of a connection of two pods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// The connection.
    pub connection: PodConnection,
    /// What the policies of the source say.
    pub egress: DirectionExplanation,
    /// What the policies of the destination say.
    pub ingress: DirectionExplanation,
}

/// Why there is nothing to explain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExplainError {
    /// The API has not shown this pod.
    Unknown(PodName),
    /// This pod has ended, or has no address yet.
    NoAddress(PodName),
    /// The pods have no address family in common.
    NoCommonFamily,
}

impl Explanation {
    /// Whether both ends allow it.
    pub fn is_allowed(&self) -> bool {
        self.egress.verdict.is_allowed && self.ingress.verdict.is_allowed
    }
}

impl Engine {
    /// What the policies say of a connection, once for each address family that both pods have. A rule
    /// by prefix may treat them differently.
    pub fn explain(
        &self,
        source: &PodName,
        destination: &PodName,
        protocol: L4Protocol,
        port: u16,
    ) -> Result<Vec<Explanation>, ExplainError> {
        let (sources, destinations) = (self.ends(source)?, self.ends(destination)?);
        let mut found = Vec::new();
        for from in &sources {
            let is_same_family = |it: &&PodEnd<'_>| it.address.is_ipv4() == from.address.is_ipv4();
            found.extend(destinations.iter().find(is_same_family).map(|to| {
                let connection = PodConnection {
                    source: from.address,
                    destination: to.address,
                    protocol,
                    port,
                };
                self.explain_connection(from, to, connection)
            }));
        }
        if found.is_empty() {
            return Err(ExplainError::NoCommonFamily);
        }
        Ok(found)
    }

    fn explain_connection(
        &self,
        source: &PodEnd<'_>,
        destination: &PodEnd<'_>,
        connection: PodConnection,
    ) -> Explanation {
        let judge = |direction, own, other| Judge {
            cluster: &self.cluster,
            direction,
            own,
            other,
            connection,
        };
        Explanation {
            connection,
            egress: judge(TrafficDirection::Egress, source, destination).explain(),
            ingress: judge(TrafficDirection::Ingress, destination, source).explain(),
        }
    }

    /// A pod with each of its addresses.
    fn ends(&self, name: &PodName) -> Result<Vec<PodEnd<'_>>, ExplainError> {
        let id = self.cluster.pod_id(&name.namespace, &name.name);
        let found = id.and_then(|id| Some((id, self.cluster.pod(id)?)));
        let (id, pod) = found.ok_or_else(|| ExplainError::Unknown(name.clone()))?;
        let group = pod.group.and_then(|id| self.cluster.group(id));
        let addresses = self.addresses(id, pod).into_iter();
        let ends: Vec<_> = addresses
            .map(|address| PodEnd {
                pod,
                address,
                group: group.map(|it| &it.key),
            })
            .collect();
        if ends.is_empty() {
            return Err(ExplainError::NoAddress(name.clone()));
        }
        Ok(ends)
    }

    fn addresses(&self, id: PodId, pod: &PodRecord) -> Vec<std::net::IpAddr> {
        match pod.group {
            None if !pod.has_ended => pod.addresses.to_vec(),
            _ => self.cluster.addresses_of(id),
        }
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{}", self.egress, self.ingress)
    }
}

impl std::error::Error for ExplainError {}

impl fmt::Display for ExplainError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(pod) => write!(f, "the API server has not shown pod {pod}"),
            Self::NoAddress(pod) => {
                write!(f, "pod {pod} has no address: it has ended or not begun")
            }
            Self::NoCommonFamily => f.write_str("the pods have no address family in common"),
        }
    }
}
