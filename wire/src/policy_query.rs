//! The query of commands to `flatland-policy`: what the policies say of a connection between two pods.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::ip_protocol::IpProtocol;

/// The protocols whose ports policies name.
const PROTOCOLS: [IpProtocol; 3] = [IpProtocol::TCP, IpProtocol::UDP, IpProtocol::SCTP];

/// What the policies say of a connection between two pods.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyAnswer {
    /// Whether both ends allow it, in all address families that both pods have.
    pub is_allowed: bool,
    /// The first of the addresses of the pod that begins it.
    pub source: IpAddr,
    /// The first of the addresses of the pod that is to answer.
    pub destination: IpAddr,
    /// The steps and the verdict of each end, for each pair of addresses.
    pub lines: Vec<String>,
}

/// The port to which a connection goes, with its protocol: `5432/tcp`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExplainedPort {
    /// From 1 to 65535.
    pub number: u16,
    /// TCP, UDP or SCTP.
    pub protocol: IpProtocol,
}

impl FromStr for ExplainedPort {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (number, protocol) = text.split_once('/').ok_or_else(|| {
            format!("{text:?} has no protocol: write PORT/PROTOCOL, as in 5432/tcp")
        })?;
        // Not by parse alone, which takes "+80", too.
        let is_number = number.bytes().all(|it| it.is_ascii_digit());
        let parsed = number.parse().ok().filter(|it| is_number && *it != 0);
        let of_name = |it: &IpProtocol| it.to_string().eq_ignore_ascii_case(protocol);
        Ok(Self {
            number: parsed.ok_or_else(|| format!("{number:?} is no port from 1 to 65535"))?,
            protocol: PROTOCOLS
                .into_iter()
                .find(of_name)
                .ok_or_else(|| format!("{protocol:?} is none of tcp, udp and sctp"))?,
        })
    }
}

impl fmt::Display for ExplainedPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.protocol)
    }
}

/// The page that explains a connection from one pod to a port of another; pods are names
/// (`NAMESPACE/NAME`) or addresses.
///
/// # Errors
/// Which of the pods is neither, in words.
pub fn explain_page(from: &str, to: &str, port: ExplainedPort) -> Result<String, String> {
    for pod in [from, to] {
        let is_allowed = |it: char| it.is_ascii_alphanumeric() || "-./:".contains(it);
        if pod.is_empty() || !pod.chars().all(is_allowed) {
            return Err(format!(
                "{pod:?} is no pod: write NAMESPACE/NAME or an address"
            ));
        }
    }
    Ok(format!("/explain?from={from}&to={to}&port={port}"))
}

#[cfg(test)]
mod tests;
