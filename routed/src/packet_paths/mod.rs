//! What the kernel would do with the packets of pods, compared with what our routes say.
//!
//! A route in the main table does not decide alone: policy rules, tables of other programs, more
//! specific routes and settings of a link can take its packets elsewhere. So the kernel is asked
//! (`RTM_GETROUTE` with incoming link, source and mark). `routed doctor`, `routed status` and `routed
//! explain` rest on the answers of this module, so that they cannot contradict each other.
//!
//! `packet_queries` chooses the packets, `judge` compares an answer with our route and finds the
//! culprit, and `rules` goes through the policy rules; all three are pure. `read` queries the
//! kernel.

mod facts;
mod judge;
mod packet_queries;
mod read;
mod rules;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;

pub(crate) use self::read::{between, examine};
use crate::kernel::Netlink;
use crate::status::NodeRow;

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Examined {
    /// How many packets the kernel was queried about.
    pub(crate) queries: usize,
    /// What keeps packets from the way that our routes say, one for each culprit.
    pub(crate) faults: Vec<PathFault>,
    /// What harms no packet now.
    pub(crate) remarks: Vec<PathFault>,
    /// Rules that take packets with a mark elsewhere, which is what marks are for.
    pub(crate) marked: Vec<String>,
}

/// Why packets do not go the way that our routes say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PathFault {
    /// What happens to which packet, and what does that, in a sentence.
    pub(crate) text: String,
    /// What to do about it.
    pub(crate) fix: String,
}

impl PathFault {
    /// Both in one line.
    pub(crate) fn line(&self) -> String {
        format!("{}: {}", self.text, self.fix)
    }
}

/// The lines for `routed status`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct StatusLines {
    pub(crate) troubles: Vec<String>,
    pub(crate) remarks: Vec<String>,
}

/// Examines the node for `routed status`.
pub(crate) fn for_status(pod_cidrs: &[IpNet], peers: &[Peer]) -> StatusLines {
    let few = |faults: Vec<PathFault>, more: &str| {
        let lines = faults.iter().map(PathFault::line);
        crate::status::first_few(lines, more)
    };
    match examine(&mut Netlink::default(), pod_cidrs, peers) {
        Ok(examined) => StatusLines {
            troubles: few(examined.faults, "more faults like these; see routed doctor"),
            remarks: few(examined.remarks, "more links like these; see routed doctor"),
        },
        Err(error) => StatusLines {
            remarks: vec![format!(
                "the kernel does not say what it does with packets: {error}"
            )],
            ..StatusLines::default()
        },
    }
}

/// A peer, as far as the links matter by which its packets come in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Peer {
    /// Its subnets.
    pub(crate) subnets: Vec<IpNet>,
    /// The addresses that it advertises.
    pub(crate) addresses: Vec<IpAddr>,
}

impl From<NodeRow> for Peer {
    fn from(row: NodeRow) -> Self {
        Self {
            subnets: row.subnets,
            addresses: row.addresses,
        }
    }
}

/// One fault for each culprit: the first packet that it harms is described, the others are counted.
fn by_culprit(found: Vec<judge::Misrouted>) -> Vec<PathFault> {
    let mut order: Vec<String> = Vec::new();
    let mut groups: BTreeMap<String, (PathFault, usize)> = BTreeMap::new();
    for misrouted in found {
        let culprit = misrouted.culprit.clone();
        if let Some((_, more)) = groups.get_mut(&culprit) {
            *more += 1;
        } else {
            order.push(culprit.clone());
            groups.insert(culprit, (misrouted.into(), 0));
        }
    }
    let described = |culprit: String| {
        let (mut fault, more) = groups.remove(&culprit)?;
        if more > 0 {
            let more = format!(" (the same for {more} more of the packets asked about)");
            fault.text.push_str(&more);
        }
        Some(fault)
    };
    order.into_iter().filter_map(described).collect()
}
