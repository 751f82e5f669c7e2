//! The claim requests of an ADD, and how they are passed to `flatland-claim` as arguments. During
//! an upgrade, one of the two programs may briefly be older than the other.

use std::time::Duration;

use ipnet::IpNet;
use wire::cni::{Error, code};

const MISSING: &str = "missing";
const CONFIRMATION: &str = "confirmation";
const FURTHER: &str = "further";

/// What an ADD needs from the registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClaimRequest {
    /// A subnet of each pod CIDR of which the node owns none.
    Missing,
    /// A node's file with exactly the subnets that it owns. It is no error if none are left.
    Confirmation,
    /// A further subnet.
    Further {
        /// Of this pod CIDR.
        pod_cidr: IpNet,
        /// The node's subnets of it, which are full.
        seen: Vec<IpNet>,
    },
}

impl ClaimRequest {
    /// The arguments of `flatland-claim` for this request: the time-out in milliseconds, the kind
    /// of request, and its subnets.
    pub fn arguments(&self, within: Duration) -> Vec<String> {
        let (name, subnets): (_, Vec<_>) = match self {
            Self::Missing => (MISSING, Vec::new()),
            Self::Confirmation => (CONFIRMATION, Vec::new()),
            Self::Further { pod_cidr, seen } => {
                let all = [pod_cidr].into_iter().chain(seen);
                (FURTHER, all.map(ToString::to_string).collect())
            }
        };
        let mut arguments = vec![within.as_millis().to_string(), name.to_owned()];
        arguments.extend(subnets);
        arguments
    }

    /// Parses [`ClaimRequest::arguments`]. Invalid arguments are an error with code 11.
    pub fn parse(arguments: &[String]) -> Result<(Self, Duration), Error> {
        let parse = || {
            let [within, name, subnets @ ..] = arguments else {
                return None;
            };
            let within = Duration::from_millis(within.parse().ok()?);
            let subnets = subnets.iter().map(|subnet| subnet.parse());
            let subnets: Vec<IpNet> = subnets.collect::<Result<_, _>>().ok()?;
            let request = match (name.as_str(), subnets.as_slice()) {
                (MISSING, []) => Self::Missing,
                (CONFIRMATION, []) => Self::Confirmation,
                (FURTHER, [pod_cidr, seen @ ..]) => Self::Further {
                    pod_cidr: *pod_cidr,
                    seen: seen.to_vec(),
                },
                _ => return None,
            };
            Some((request, within))
        };
        parse().ok_or_else(|| {
            let msg = format!(
                "arguments {arguments:?} do not tell flatland-claim {} what to claim",
                wire::VERSION
            );
            Error::new(code::TRY_AGAIN, msg)
                .advise("flatland-ipam runs it; both have to be of one version: see --version")
        })
    }
}

#[cfg(test)]
mod tests;
