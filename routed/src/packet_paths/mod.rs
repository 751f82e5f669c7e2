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
mod faults;
mod judge;
mod packet_queries;
mod read;
mod rules;
#[cfg(test)]
mod tests;

use ipnet::IpNet;

pub(crate) use self::faults::{Examined, PathFault};
pub(crate) use self::packet_queries::Peer;
pub(crate) use self::read::{between, examine};
use crate::kernel::Netlink;

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
