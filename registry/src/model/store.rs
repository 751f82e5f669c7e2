//! The model's etcd: one network, and transactions.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::LazyLock;

use ipnet::IpNet;
use wire::node::NodeName;

use super::Without;
use super::request::{ABSENT, Entry, StoreRequest};
use crate::protocol::{ClaimView, Claimed, PresenceView, RegistryView};
use crate::records::{Network, NodeRecord};

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

pub(super) fn name(node: usize) -> &'static NodeName {
    &NAMES[node]
}

pub(super) fn subnet(n: usize) -> IpNet {
    NETS[n]
}

pub(super) fn pod_cidr() -> &'static IpNet {
    &NETWORK.pod_cidrs[0]
}

pub(super) fn number(subnet: IpNet) -> usize {
    usize::from(subnet != NETS[0])
}

/// A set of subnets.
pub(super) type SubnetSet = [bool; SUBNETS.len()];

pub(super) fn set(subnets: &[IpNet]) -> SubnetSet {
    let mut set = SubnetSet::default();
    for subnet in subnets {
        set[number(*subnet)] = true;
    }
    set
}

pub(super) fn list(set: SubnetSet) -> Vec<IpNet> {
    (0..set.len()).filter(|n| set[*n]).map(subnet).collect()
}

/// The state of etcd. Claims hold the number of the node, records and presences that of the session.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Store {
    records: [Entry<u8>; NODES.len()],
    claims: [Entry<u8>; SUBNETS.len()],
    presences: [Entry<u8>; NODES.len()],
}

/// The number of a machine's first session. Each boot begins another.
pub(super) const BOOT: u8 = 8;

/// The machine of a session.
pub(super) fn machine_of(session: u8) -> usize {
    usize::from(session % BOOT)
}

/// The address of a machine.
pub(super) fn address_of(machine: usize) -> IpAddr {
    let last = u8::try_from(machine).expect("a small model");
    IpAddr::from([192, 168, 1, last])
}

/// What the machines of one node read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct NodeSight {
    record: Entry<u8>,
    claims: [Entry<u8>; SUBNETS.len()],
    presence: Entry<u8>,
}

/// The content of a machine's `/etc/machine-id`.
pub(super) fn machine_id(machine: usize, are_clones: bool) -> String {
    if are_clones {
        "clone".to_owned()
    } else {
        machine.to_string()
    }
}

impl NodeSight {
    /// `are_clones`: all machines of a node have one machine id.
    pub(super) fn view(&self, are_clones: bool) -> RegistryView {
        let claims = (0..SUBNETS.len()).filter_map(|n| Some((subnet(n), self.claim(n)?)));
        RegistryView {
            network: NETWORK.clone(),
            network_revision: 1,
            node: self.record(are_clones),
            node_revision: self.record.revision.into(),
            presence: self.presence.value.map(|session| PresenceView {
                revision: self.presence.revision.into(),
                session: Some(session.to_string()),
                address: Some(address_of(machine_of(session))),
            }),
            claims: claims.collect::<BTreeMap<_, _>>(),
            exclude: Vec::new(),
            cluster: Some(1),
        }
    }

    pub(super) fn claim_view(&self, n: usize, are_clones: bool) -> ClaimView {
        ClaimView {
            claim: self.claim(n),
            node: self.record(are_clones),
            node_revision: self.record.revision.into(),
        }
    }

    fn record(&self, are_clones: bool) -> Option<NodeRecord> {
        self.record.value.map(|session| NodeRecord {
            addresses: Vec::new(),
            machine_id: machine_id(machine_of(session), are_clones),
            session: Some(session.to_string()),
        })
    }

    fn claim(&self, n: usize) -> Option<Claimed> {
        let Entry { value, revision } = self.claims[n];
        Some(Claimed {
            owner: Some(name(value?.into()).clone()),
            revision: revision.into(),
        })
    }
}

impl Store {
    pub(super) fn sight(&self, node: usize) -> NodeSight {
        NodeSight {
            record: self.records[node],
            claims: self.claims,
            presence: self.presences[node],
        }
    }

    pub(super) fn owner(&self, n: usize) -> Option<usize> {
        self.claims[n].value.map(usize::from)
    }

    /// The session that holds the node's name.
    pub(super) fn holder(&self, node: usize) -> Option<u8> {
        self.records[node].value
    }

    /// The session that is present as this node.
    pub(super) fn present(&self, node: usize) -> Option<u8> {
        self.presences[node].value
    }

    pub(super) fn write_presence(&mut self, node: usize, session: u8) {
        self.presences[node].put(session);
    }

    pub(super) fn expire(&mut self, node: usize) {
        self.presences[node].delete();
    }

    pub(super) fn owned_by(&self, node: usize) -> SubnetSet {
        std::array::from_fn(|n| self.owner(n) == Some(node))
    }

    /// Whether the conditions of a request by `node` hold.
    pub(super) fn holds(&self, node: usize, request: &StoreRequest, without: Without) -> bool {
        let same = |before: Option<i8>, now: i8| before.is_none_or(|before| before == now);
        let record = same(request.record, self.records[node].revision);
        let presence = same(request.presence, self.presences[node].revision);
        let claims = (0..SUBNETS.len()).all(|n| {
            let absent = request.subnets[n] == Some(ABSENT) && without == Without::AbsentClaim;
            absent || same(request.subnets[n], self.claims[n].revision)
        });
        (record || without == Without::SameRecord)
            && (presence || without == Without::SamePresence)
            && claims
    }

    /// Carries out the writes of the request. Returns whether that overwrote a claim of another
    /// node.
    pub(super) fn write(
        &mut self,
        node: usize,
        session: u8,
        request: &StoreRequest,
        without: Without,
    ) -> bool {
        let small = |number: usize| u8::try_from(number).expect("a small model");
        if request.writes_record {
            self.records[node].put(session);
        }
        let mut overwritten = false;
        for n in 0..SUBNETS.len() {
            if request.deletes[n] {
                self.claims[n].delete();
            }
            if request.claims[n] && (request.makes(n) || without != Without::Rewriting) {
                overwritten |= self.owner(n).is_some_and(|owner| owner != node);
                self.claims[n].put(small(node));
            }
        }
        overwritten
    }

    pub(super) fn may_forget(&self, node: usize) -> bool {
        let is_known = self.holder(node).is_some() || self.owned_by(node).contains(&true);
        is_known && self.present(node).is_none()
    }

    pub(super) fn forget(&mut self, node: usize) {
        self.records[node].delete();
        for n in 0..SUBNETS.len() {
            if self.owner(n) == Some(node) {
                self.claims[n].delete();
            }
        }
    }

    /// Updates the conditions of a request by `node` after the keys changed.
    pub(super) fn update_conditions(&self, node: usize, request: &mut StoreRequest) {
        request.record = request.record.map(|it| self.records[node].renumbered(it));
        let presence = &self.presences[node];
        request.presence = request.presence.map(|it| presence.renumbered(it));
        for (condition, entry) in request.subnets.iter_mut().zip(&self.claims) {
            *condition = condition.map(|it| entry.renumbered(it));
        }
    }

    /// Renumbers the revisions, after the conditions of all requests were updated.
    pub(super) fn renumber(&mut self) {
        self.records.iter_mut().for_each(Entry::renumber);
        self.claims.iter_mut().for_each(Entry::renumber);
        self.presences.iter_mut().for_each(Entry::renumber);
    }
}
