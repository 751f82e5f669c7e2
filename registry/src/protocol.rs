//! What a node that needs its name or a subnet does next, given what it sees of the registry.
//!
//! These decisions are pure. Both registries carry them out the same way: read a [`View`], decide,
//! commit what was decided if what it rests on still holds, else decide again on a new view.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;
use wire::node::NodeName;

use crate::error::Error;
use crate::pool::Pool;
use crate::records::{Network, NodeRecord};

/// A transaction claims at most so many subnets at once: etcd limits a transaction to 128
/// operations.
const MOST_CLAIMS: usize = 32;

/// The part of the registry, at one revision, that a node's decisions rest on.
#[derive(Debug, Clone)]
pub(crate) struct View {
    /// What this node's conflist says; a view of a registry that says otherwise is an error.
    pub(crate) network: Network,
    /// The revision that `config` was last written at; 0 when it does not exist.
    pub(crate) network_revision: i64,
    /// This node's record.
    pub(crate) node: Option<NodeRecord>,
    /// The revision that the node's record was last written at; 0 when it does not exist.
    pub(crate) node_revision: i64,
    /// Whether `presence/<node>` exists, whatever its value.
    pub(crate) is_present: bool,
    /// Every subnet's owner; `None` where the value cannot be read. Such a key is claimed all the
    /// same, as is one that is not a subnet of the network.
    pub(crate) claims: BTreeMap<IpNet, Option<NodeName>>,
    /// What this node's conflist excludes: a subnet that lies in it whole is of no use.
    pub(crate) exclude: Vec<IpNet>,
    /// The id of the etcd cluster; `None` for the local registry.
    pub(crate) cluster: Option<u64>,
}

/// Who decides.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Me<'a> {
    pub(crate) node: &'a NodeName,
    pub(crate) machine: &'a str,
    /// What the node's record shall say; `None` leaves it as it is.
    pub(crate) addresses: Option<&'a [IpAddr]>,
}

/// What a node wants of the registry.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Want<'a> {
    /// Its name.
    Name,
    /// At least one subnet of each pod CIDR, and those of `keep` that nobody else has.
    Subnets { keep: &'a [IpNet] },
    /// One more subnet of this pod CIDR: one that the registry has for the node besides the `known`
    /// ones, else a free one. Without `known` it is a free one.
    Further {
        pod_cidr: &'a IpNet,
        known: Option<&'a [IpNet]>,
    },
}

/// What to do next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Nothing: the node has what it wants. These subnets, in order of the pod CIDRs, then of the
    /// address; for [`Want::Further`] the new one alone.
    Done(Vec<IpNet>),
    Commit(Commit),
}

/// Writes that must happen together, and only while the view they rest on holds: `config` and the
/// node's record unchanged, each of `claims` absent. A `config` that does not exist is written too.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Commit {
    pub(crate) network_revision: i64,
    pub(crate) name: Hold,
    pub(crate) claims: Vec<IpNet>,
    /// What [`Step::Done`] would say once this is committed.
    pub(crate) outcome: Vec<IpNet>,
    /// Whether there is nothing more to commit after this.
    pub(crate) is_all: bool,
}

/// How the node holds its name. All that it writes rests on this, so that a machine which has lost
/// the name can write nothing in that name any more, not even with a request sent before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hold {
    /// The record's revision; 0 for a record that must not exist.
    pub(crate) revision: i64,
    /// The new record, where it changes.
    pub(crate) write: Option<NodeRecord>,
    pub(crate) registration: Registration,
}

/// What became of a node's registration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Registration {
    /// The node was not known before.
    New,
    /// Nothing was to be written.
    Unchanged,
    /// The node's addresses changed.
    Updated,
    /// The name belonged to another machine, whose `routed` is gone.
    TookOver {
        /// What the other machine had registered.
        from: NodeRecord,
    },
}

impl Hold {
    /// The other machine must not have come back meanwhile.
    pub(crate) fn needs_absence(&self) -> bool {
        matches!(self.registration, Registration::TookOver { .. })
    }
}

/// Decides how `me` comes to hold its name.
pub(crate) fn hold(view: &View, me: Me<'_>) -> Result<Hold, Error> {
    let wanted = |addresses: &[IpAddr]| NodeRecord {
        addresses: me.addresses.unwrap_or(addresses).to_vec(),
        machine_id: me.machine.to_owned(),
    };
    let (write, registration) = match &view.node {
        None => (Some(wanted(&[])), Registration::New),
        Some(record) if record.machine_id == me.machine => {
            let new = wanted(&record.addresses);
            if new == *record {
                (None, Registration::Unchanged)
            } else {
                (Some(new), Registration::Updated)
            }
        }
        Some(record) if !view.is_present => (
            Some(wanted(&[])),
            Registration::TookOver {
                from: record.clone(),
            },
        ),
        Some(record) => {
            return Err(Error::NodeTaken {
                node: me.node.clone(),
                ours: wanted(&[]),
                theirs: Box::new(record.clone()),
            });
        }
    };
    Ok(Hold {
        revision: view.node_revision,
        write,
        registration,
    })
}

/// Decides what `me` does next. `pending` are subnets of an earlier commit of which it is not
/// known whether it happened: they are tried again before any others, so that none is left
/// behind. `attempt` counts the races lost.
pub(crate) fn next(
    view: &View,
    me: Me<'_>,
    want: Want<'_>,
    pending: &[IpNet],
    attempt: u32,
) -> Result<Step, Error> {
    let name = hold(view, me)?;
    let (claims, outcome) = match want {
        Want::Name => (Vec::new(), Vec::new()),
        Want::Subnets { keep } => {
            let claims = missing(view, me.node, keep, pending, attempt)?;
            let owned = view
                .claims
                .keys()
                .filter(|subnet| view.is_owner(me.node, subnet));
            let outcome = in_order(&view.network, owned.chain(&claims));
            (claims, outcome)
        }
        Want::Further { pod_cidr, known } => {
            let forgotten = known.and_then(|known| view.unknown(me.node, pod_cidr, known));
            let mut done = pending.iter().copied();
            let done = done.find(|subnet| view.is_owner(me.node, subnet));
            if let Some(done) = done.or(forgotten) {
                (Vec::new(), vec![done])
            } else {
                let subnet = choose(view, me.node, pod_cidr, pending, attempt)?;
                (vec![subnet], vec![subnet])
            }
        }
    };
    if claims.is_empty() && name.write.is_none() && view.network_revision != 0 {
        return Ok(Step::Done(outcome));
    }
    let is_all = claims.len() < MOST_CLAIMS;
    let network_revision = view.network_revision;
    Ok(Step::Commit(Commit {
        network_revision,
        name,
        claims,
        outcome,
        is_all,
    }))
}

/// Whether `me` gives back `subnet`, which is claimed by `owner` (`None` where that cannot be
/// read); `record` is that of the node. There is nothing to do for a subnet that nobody claims.
pub(crate) fn may_release(
    me: Me<'_>,
    subnet: &IpNet,
    owner: Option<&Option<NodeName>>,
    record: Option<&NodeRecord>,
) -> Result<bool, Error> {
    match (owner, record) {
        (None, _) => Ok(false),
        (Some(Some(owner)), Some(record))
            if owner == me.node && record.machine_id != me.machine =>
        {
            Err(Error::NodeTaken {
                node: me.node.clone(),
                ours: NodeRecord {
                    addresses: Vec::new(),
                    machine_id: me.machine.to_owned(),
                },
                theirs: Box::new(record.clone()),
            })
        }
        (Some(Some(owner)), _) if owner == me.node => Ok(true),
        (Some(owner), _) => Err(Error::NotOwned {
            subnet: *subnet,
            node: me.node.clone(),
            owner: owner.clone(),
        }),
    }
}

fn missing(
    view: &View,
    node: &NodeName,
    keep: &[IpNet],
    pending: &[IpNet],
    attempt: u32,
) -> Result<Vec<IpNet>, Error> {
    let pools: Vec<Pool> = view.network.pools().map(|pool| view.pool(pool)).collect();
    let again = keep
        .iter()
        .filter(|subnet| pools.iter().any(|pool| pool.is_free(subnet)));
    let mut claims: BTreeSet<IpNet> = again.copied().take(MOST_CLAIMS).collect();
    for pod_cidr in &view.network.pod_cidrs {
        let of_this = |subnet: &&IpNet| view.network.pod_cidr_of(subnet) == Some(*pod_cidr);
        let mut owned = view
            .claims
            .keys()
            .filter(|subnet| view.is_owner(node, subnet));
        if !owned.any(|subnet| of_this(&subnet)) && !claims.iter().any(|subnet| of_this(&subnet)) {
            claims.insert(choose(view, node, pod_cidr, pending, attempt)?);
        }
    }
    Ok(claims.into_iter().collect())
}

fn choose(
    view: &View,
    node: &NodeName,
    pod_cidr: &IpNet,
    pending: &[IpNet],
    attempt: u32,
) -> Result<IpNet, Error> {
    let length = view
        .network
        .subnet_length(pod_cidr)
        .ok_or_else(|| Error::Config {
            what: format!("pod CIDR {pod_cidr}"),
            why: format!("the network has {}", view.network),
        })?;
    let excluded = view.exclude.iter().filter(|net| net.prefix_len() <= length);
    let pool = Pool::new(
        *pod_cidr,
        length,
        view.claims.keys().chain(excluded.clone()),
    );
    let again = pending.iter().copied().find(|subnet| pool.is_free(subnet));
    again
        .or_else(|| pool.choose(node, attempt))
        .ok_or_else(|| Error::Exhausted {
            pod_cidr: *pod_cidr,
            total: pool.total(),
            excluded: pool.total() - Pool::new(*pod_cidr, length, excluded).free(),
            by_node: view.owners(pod_cidr),
        })
}

/// Those that are subnets of the network, in order of the pod CIDRs, then of the address.
fn in_order<'a>(network: &Network, subnets: impl Iterator<Item = &'a IpNet>) -> Vec<IpNet> {
    let place = |subnet: &IpNet| {
        let pod_cidr = network.pod_cidr_of(subnet)?;
        network
            .pod_cidrs
            .iter()
            .position(|other| *other == pod_cidr)
    };
    let placed: BTreeSet<_> = subnets
        .filter_map(|subnet| place(subnet).map(|place| (place, *subnet)))
        .collect();
    placed.into_iter().map(|(_, subnet)| subnet).collect()
}

impl View {
    fn is_owner(&self, node: &NodeName, subnet: &IpNet) -> bool {
        self.claims
            .get(subnet)
            .is_some_and(|owner| owner.as_ref() == Some(node))
    }

    /// A subnet of `pod_cidr` that belongs to `node` and is not among the `known` ones.
    fn unknown(&self, node: &NodeName, pod_cidr: &IpNet, known: &[IpNet]) -> Option<IpNet> {
        let of_this = |subnet: &&IpNet| self.network.pod_cidr_of(subnet) == Some(*pod_cidr);
        let mut owned = self.claims.keys().filter(of_this);
        owned
            .find(|subnet| self.is_owner(node, subnet) && !known.contains(subnet))
            .copied()
    }

    fn owners(&self, pod_cidr: &IpNet) -> BTreeMap<NodeName, usize> {
        let mut owners = BTreeMap::new();
        for (subnet, owner) in &self.claims {
            if let Some(owner) = owner.as_ref().filter(|_| pod_cidr.contains(subnet)) {
                *owners.entry(owner.clone()).or_default() += 1;
            }
        }
        owners
    }

    fn pool(&self, (pod_cidr, length): (IpNet, u8)) -> Pool {
        Pool::new(pod_cidr, length, self.claims.keys())
    }
}

#[cfg(test)]
mod tests;
