//! Every node and pod queries every other.

use std::net::IpAddr;
use std::path::PathBuf;

use crate::command::CommandOutput;
use crate::error::Doing;
use crate::probe::{LISTENING, ProbeAnswer};
use crate::{DEADLINE, Families, KeptPlace, Machine, Node, Pod, Process, Result, wait_until};

/// Where the lab's own program is on each node.
const LAB: &str = "/opt/flatland/lab";

/// One end of a query: a node or a pod.
#[derive(Debug, Clone)]
pub(super) struct Party {
    /// `n1` for a node, `n1/a` for a pod.
    pub(super) name: String,
    /// The node that it is, or is on.
    pub(super) node: String,
    /// Whether it is a pod.
    pub(super) is_pod: bool,
    /// Its addresses of the families that are looked at.
    pub(super) addresses: Vec<IpAddr>,
}

/// Where a party is.
#[derive(Debug)]
pub(super) struct End<'a> {
    /// Who is there.
    pub(super) party: Party,
    /// The node.
    machine: &'a Machine,
    /// The pod's network namespace.
    netns: Option<PathBuf>,
}

/// The result of one query. Parties go by their place in the list of all.
#[derive(Debug)]
pub(super) struct ProbedPair {
    /// Who sent it.
    pub(super) from: usize,
    /// Who should answer.
    pub(super) to: usize,
    /// The address that was queried, and what came back.
    pub(super) answer: ProbeAnswer,
    /// What is wrong with that.
    pub(super) complaint: Option<String>,
}

impl<'a> End<'a> {
    /// A node, with its addresses of `families`.
    pub(super) fn node(node: &'a Node, families: Families) -> Self {
        let name = node.name().to_owned();
        let addresses = node.addresses().iter().copied();
        let addresses = addresses.filter(|&address| families.has(address)).collect();
        let party = Party {
            node: name.clone(),
            name,
            is_pod: false,
            addresses,
        };
        Self {
            party,
            machine: node,
            netns: None,
        }
    }

    /// A pod.
    pub(super) fn pod(pod: &Pod<'a>) -> Self {
        let node = pod.machine().name().to_owned();
        let name = format!("{node}/{}", pod.name());
        let party = Party {
            name,
            node,
            is_pod: true,
            addresses: pod.addresses(),
        };
        Self {
            party,
            machine: pod.machine(),
            netns: Some(pod.netns().to_owned()),
        }
    }

    /// How to enter it later.
    pub(super) fn place(&self) -> KeptPlace {
        KeptPlace {
            name: self.party.name.clone(),
            target: self.machine.pid(),
            netns: self.netns.clone(),
        }
    }

    /// Starts to answer, and waits until it would.
    pub(super) fn serve(&self) -> Result<Process> {
        let name = &self.party.name;
        let log = format!("serve-{}", name.replace('/', "-"));
        let daemon = self
            .machine
            .spawn(&log, self.netns.as_deref(), &[LAB, "serve"])?;
        let listens = || daemon.log().contains(LISTENING);
        wait_until(format!("server on {name}"), DEADLINE, listens)
            .map_err(|error| error.doing(daemon.log()))?;
        Ok(daemon)
    }

    /// Queries `targets`; the answers come in the same order.
    fn query(&self, targets: &[IpAddr]) -> Result<Vec<ProbeAnswer>> {
        let mut command = vec![LAB.to_owned(), "query".to_owned()];
        command.extend(targets.iter().map(IpAddr::to_string));
        let output = match &self.netns {
            Some(netns) => self.machine.run_in(netns, &command),
            None => self.machine.run_with(&command, b""),
        };
        let text = output
            .and_then(CommandOutput::success)
            .doing(&self.party.name)?;
        serde_json::from_str(&text).doing(&self.party.name)
    }
}

/// Every end queries every address of every other end, one after the other, so that no round trip
/// waits for the processor.
pub(super) fn everyone(ends: &[End<'_>]) -> Result<Vec<ProbedPair>> {
    let mut all = Vec::new();
    for (from, end) in ends.iter().enumerate() {
        let others = ends.iter().enumerate().filter(|(to, _)| *to != from);
        let pairs: Vec<(usize, IpAddr)> = others
            .flat_map(|(to, other)| other.party.addresses.iter().map(move |&there| (to, there)))
            .collect();
        let targets: Vec<IpAddr> = pairs.iter().map(|(_, address)| *address).collect();
        if targets.is_empty() {
            continue;
        }
        for ((to, _), answer) in pairs.into_iter().zip(end.query(&targets)?) {
            let complaint = answer.complaint(&end.party.addresses);
            all.push(ProbedPair {
                from,
                to,
                answer,
                complaint,
            });
        }
    }
    Ok(all)
}

impl ProbedPair {
    /// Whether the queried address is IPv6.
    pub(super) fn is_ipv6(&self) -> bool {
        self.answer.target.is_ipv6()
    }

    /// Whether the receiver saw an address of the sender's own, by TCP and by UDP.
    pub(super) fn seen_as_itself(&self, parties: &[Party]) -> bool {
        let own = &parties[self.from].addresses;
        [&self.answer.tcp, &self.answer.udp]
            .into_iter()
            .all(|seen| seen.as_ref().is_ok_and(|address| own.contains(address)))
    }
}
