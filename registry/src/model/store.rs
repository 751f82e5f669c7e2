//! The model's etcd: one network, and transactions.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use ipnet::IpNet;
use wire::node::NodeName;

use super::Without;
use super::machine::machine_id;
use crate::keys::Key;
use crate::protocol::{Commit, View};
use crate::records::{Network, NodeRecord};
use crate::transaction::{Condition, Write};

/// The first two prefer the same subnet.
pub(super) const NODES: [&str; 3] = ["b", "c", "a"];
pub(super) const SUBNETS: [&str; 2] = ["10.0.0.0/24", "10.0.1.0/24"];

static NAMES: LazyLock<Vec<NodeName>> = LazyLock::new(|| {
    let names = NODES.iter().map(|name| name.parse());
    names.collect::<Result<_, _>>().expect("node names")
});
static NETS: LazyLock<Vec<IpNet>> = LazyLock::new(|| {
    let nets = SUBNETS.iter().map(|net| net.parse());
    nets.collect::<Result<_, _>>().expect("subnets")
});
static NETWORK: LazyLock<Network> = LazyLock::new(|| Network {
    pod_cidrs: vec!["10.0.0.0/23".parse().expect("a pod CIDR")],
    subnet_lengths: vec![24],
});

pub(super) fn name(node: usize) -> NodeName {
    NAMES[node].clone()
}

pub(super) fn subnet(n: usize) -> IpNet {
    NETS[n]
}

fn number(subnet: IpNet) -> usize {
    let first = self::subnet(0);
    usize::from(subnet != first)
}

/// A set of subnets.
pub(super) type Subnets = [bool; SUBNETS.len()];

pub(super) fn set(subnets: &[IpNet]) -> Subnets {
    let mut set = Subnets::default();
    for subnet in subnets {
        set[number(*subnet)] = true;
    }
    set
}

pub(super) fn list(set: Subnets) -> Vec<IpNet> {
    (0..set.len()).filter(|n| set[*n]).map(subnet).collect()
}

/// A node's record: the machine, and how often the key was written, which stands for its revision.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Store {
    records: [Option<(usize, i64)>; NODES.len()],
    written: [i64; NODES.len()],
    pub(super) present: [bool; NODES.len()],
    pub(super) claims: [Option<usize>; SUBNETS.len()],
}

/// A transaction of the code's own, in a form that a state can hold.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Request {
    revision: Option<i64>,
    needs_absence: bool,
    absent: Subnets,
    writes_record: bool,
    pub(super) claims: Subnets,
    pub(super) outcome: Subnets,
    pub(super) takes_over: bool,
}

impl Request {
    pub(super) fn of(node: usize, commit: &Commit) -> Self {
        let mut request = Self {
            revision: None,
            needs_absence: false,
            absent: Subnets::default(),
            writes_record: false,
            claims: Subnets::default(),
            outcome: set(&commit.outcome),
            takes_over: commit.name.needs_absence(),
        };
        for condition in commit.conditions(&name(node)) {
            match condition {
                Condition::Unchanged(Key::Node(_), revision) => request.revision = Some(revision),
                Condition::Absent(Key::Presence(_)) => request.needs_absence = true,
                Condition::Absent(Key::Subnet(subnet)) => request.absent[number(subnet)] = true,
                // The network is agreed on before the model begins.
                _ => {}
            }
        }
        for write in commit.writes() {
            match write {
                Write::Node(_) => request.writes_record = true,
                Write::Claim(subnet) => request.claims[number(subnet)] = true,
                Write::Config => {}
            }
        }
        request
    }
}

impl Store {
    pub(super) fn view(&self, node: usize) -> View {
        let claims = self.claims.iter().enumerate();
        let claims: BTreeMap<_, _> = claims
            .filter_map(|(n, owner)| owner.map(|owner| (subnet(n), Some(name(owner)))))
            .collect();
        View {
            network: NETWORK.clone(),
            network_revision: 1,
            node: self.records[node].map(|(machine, _)| NodeRecord {
                addresses: Vec::new(),
                machine_id: machine_id(machine),
            }),
            node_revision: self.records[node].map_or(0, |(_, revision)| revision),
            is_present: self.present[node],
            claims,
            exclude: Vec::new(),
            cluster: Some(1),
        }
    }

    pub(super) fn holder(&self, node: usize) -> Option<usize> {
        self.records[node].map(|(machine, _)| machine)
    }

    /// Whether the conditions of a request by `node` hold.
    pub(super) fn holds(&self, node: usize, request: &Request, without: Without) -> bool {
        let revision = self.records[node].map_or(0, |(_, revision)| revision);
        let same = request.revision.is_none_or(|before| before == revision);
        let gone = !(request.needs_absence && self.present[node]);
        let free = (0..SUBNETS.len()).all(|n| !request.absent[n] || self.claims[n].is_none());
        (same || without == Without::SameRecord)
            && (gone || without == Without::AbsentPresence)
            && (free || without == Without::AbsentClaim)
    }

    /// Writes what the request says; whether that overwrote the claim of another node.
    pub(super) fn write(&mut self, node: usize, machine: usize, request: &Request) -> bool {
        if request.writes_record {
            self.written[node] += 1;
            self.records[node] = Some((machine, self.written[node]));
        }
        let mut overwritten = false;
        for (claim, _) in self
            .claims
            .iter_mut()
            .zip(request.claims)
            .filter(|(_, put)| *put)
        {
            overwritten |= claim.is_some_and(|owner| owner != node);
            *claim = Some(node);
        }
        overwritten
    }

    pub(super) fn may_forget(&self, node: usize) -> bool {
        let is_known = self.records[node].is_some() || self.claims.contains(&Some(node));
        is_known && !self.present[node]
    }

    pub(super) fn forget(&mut self, node: usize) {
        self.records[node] = None;
        for claim in self.claims.iter_mut().filter(|claim| **claim == Some(node)) {
            *claim = None;
        }
    }

    pub(super) fn owned_by(&self, node: usize) -> Subnets {
        self.claims.map(|owner| owner == Some(node))
    }
}
