//! The claim protocol: what a node that needs its name or a subnet does next, given the registry's
//! state.
//!
//! The decisions are pure functions. All backends carry them out the same way: read a
//! [`RegistryView`], decide, and commit the decision if its conditions still hold; else decide
//! again on a new view.

mod claimant;
mod name;
mod release;
pub(crate) mod transaction;
pub(crate) mod view;

use std::collections::BTreeSet;

use ipnet::IpNet;
use wire::node::NodeName;

use crate::error::Error;
use crate::keys::Key;
use crate::pool::Pool;
use crate::protocol::transaction::{Condition, Transaction, Write};
use crate::records::Network;

pub(crate) use claimant::Claimant;
pub use name::Registration;
pub(crate) use name::{NameHold, hold, may_write_presence};
pub(crate) use release::{ClaimView, release};
pub(crate) use view::{Claimed, PresenceView, RegistryView};

/// The most claims that one transaction writes. etcd limits a transaction to 128 operations.
const MAX_CLAIMS: usize = 32;

/// What a node needs from the registry.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Goal<'a> {
    /// To be registered under its name.
    Name,
    /// Those of `keep` that no other node has claimed, and all that the registry has for the node.
    Kept { keep: &'a [IpNet] },
    /// Like [`Goal::Kept`], and at least one subnet of each pod CIDR.
    Subnets { keep: &'a [IpNet] },
    /// One more subnet of this pod CIDR: one that the registry has for the node and that is not
    /// among `known`, else a free one. Without `known`, always a free one.
    Further {
        pod_cidr: &'a IpNet,
        known: Option<&'a [IpNet]>,
    },
}

/// The result of acquiring a name and subnets.
#[derive(Debug)]
pub(crate) struct Acquired {
    pub(crate) subnets: Vec<IpNet>,
    pub(crate) registration: Registration,
    pub(crate) cluster: Option<u64>,
}

/// The results of earlier commits of the same operation.
#[derive(Debug, Clone, Default)]
pub(crate) struct Attempts {
    /// Claims whose outcome is unknown. They are tried again before any others, so that none is
    /// leaked.
    pub(crate) pending: Vec<IpNet>,
    /// Claims that were certainly written.
    pub(crate) written: Vec<IpNet>,
    /// The number of lost races.
    pub(crate) races: u32,
}

/// What to do next.
#[derive(Debug, PartialEq, Eq)]
#[allow(
    clippy::large_enum_variant,
    reason = "one lives at a time, for a moment"
)]
pub(crate) enum NextStep {
    /// The goal is reached. The subnets, ordered by pod CIDR, then by address; for
    /// [`Goal::Further`] only the new one.
    Done(Vec<IpNet>),
    Commit(Commit),
}

/// Writes that happen together, conditional on the view: `config` and the node's record unchanged,
/// each of `claims` absent, each of `adopted` unchanged. Also writes `config` if that does not
/// exist.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Commit {
    pub(crate) network_revision: i64,
    pub(crate) name: NameHold,
    pub(crate) claims: Vec<IpNet>,
    /// Claims that the registry has for the node, but the node does not know, with their revisions.
    /// They are written again before any address of them is handed out: the node may have sent a
    /// request to give them back that is still in flight. Its condition then fails.
    pub(crate) adopted: Vec<(IpNet, i64)>,
    /// What [`NextStep::Done`] will return once this is committed.
    pub(crate) outcome: Vec<IpNet>,
    /// Whether nothing is left to commit after this.
    pub(crate) is_all: bool,
}

impl Commit {
    /// The conditions exclude two claims of one subnet, whatever happens between reading and
    /// writing.
    pub(crate) fn transaction(&self, node: &NodeName) -> Transaction {
        let mut conditions = vec![
            Condition::new(Key::Config, self.network_revision),
            Condition::new(Key::Node(node.clone()), self.name.revision),
        ];
        if let Some(revision) = self.name.presence {
            conditions.push(Condition::new(Key::Presence(node.clone()), revision));
        }
        let absent = self.claims.iter().map(|subnet| (*subnet, 0));
        let claims: Vec<_> = absent.chain(self.adopted.iter().copied()).collect();
        let record = self.name.write.iter().cloned();
        let mut writes: Vec<_> = record
            .map(|record| Write::Node(node.clone(), record))
            .collect();
        if self.network_revision == 0 {
            writes.push(Write::Config);
        }
        for (subnet, revision) in claims {
            conditions.push(Condition::new(Key::Subnet(subnet), revision));
            writes.push(Write::Claim(subnet, node.clone()));
        }
        Transaction { conditions, writes }
    }

    /// The subnets whose keys this writes.
    pub(crate) fn written(&self) -> impl Iterator<Item = IpNet> {
        let adopted = self.adopted.iter().map(|(subnet, _)| *subnet);
        self.claims.iter().copied().chain(adopted)
    }
}

/// Decides the next step towards `goal`.
pub(crate) fn next_step(
    view: &RegistryView,
    claimant: Claimant<'_>,
    goal: Goal<'_>,
    attempts: &Attempts,
) -> Result<NextStep, Error> {
    let name = hold(view, claimant)?;
    let (claims, adopted, outcome) = match goal {
        Goal::Name => Default::default(),
        Goal::Kept { keep } => claim_all(view, claimant, keep, attempts, reclaimable(view, keep)),
        Goal::Subnets { keep } => {
            let claims = with_missing(view, claimant, reclaimable(view, keep), attempts)?;
            claim_all(view, claimant, keep, attempts, claims)
        }
        Goal::Further { pod_cidr, known } => {
            claim_further(view, claimant, pod_cidr, known, attempts)?
        }
    };
    let is_nothing = claims.is_empty() && adopted.is_empty();
    if is_nothing && name.write.is_none() && view.network_revision != 0 {
        return Ok(NextStep::Done(outcome));
    }
    Ok(NextStep::Commit(Commit {
        network_revision: view.network_revision,
        name,
        is_all: claims.len() + adopted.len() < MAX_CLAIMS,
        claims,
        adopted,
        outcome,
    }))
}

/// The subnets to claim, the claims to adopt, and the outcome.
type ClaimPlan = (Vec<IpNet>, Vec<(IpNet, i64)>, Vec<IpNet>);

/// All that the registry has for the node, plus `claims`.
fn claim_all(
    view: &RegistryView,
    claimant: Claimant<'_>,
    keep: &[IpNet],
    attempts: &Attempts,
    claims: BTreeSet<IpNet>,
) -> ClaimPlan {
    let is_known = |subnet: &IpNet| keep.contains(subnet) || attempts.written.contains(subnet);
    let owned: Vec<_> = view.owned_by(claimant.node).collect();
    let outcome = in_order(&view.network, owned.into_iter().chain(&claims));
    let unknown = outcome.iter().filter(|subnet| !is_known(subnet));
    let adopted = unknown.filter_map(|subnet| Some((*subnet, view.claims.get(subnet)?.revision)));
    let room = MAX_CLAIMS.saturating_sub(claims.len());
    let adopted = adopted.take(room).collect();
    (claims.into_iter().collect(), adopted, outcome)
}

/// Those of `keep` that are free.
fn reclaimable(view: &RegistryView, keep: &[IpNet]) -> BTreeSet<IpNet> {
    let pools: Vec<Pool> = view.network.pools().map(|pool| view.pool(pool)).collect();
    let is_free = |subnet: &&IpNet| pools.iter().any(|pool| pool.is_free(subnet));
    let free = keep.iter().filter(is_free);
    free.copied().take(MAX_CLAIMS).collect()
}

/// `claims`, plus one subnet of each pod CIDR that would have none.
fn with_missing(
    view: &RegistryView,
    claimant: Claimant<'_>,
    mut claims: BTreeSet<IpNet>,
    attempts: &Attempts,
) -> Result<BTreeSet<IpNet>, Error> {
    for pod_cidr in &view.network.pod_cidrs {
        let is_of = |subnet: &IpNet| view.is_of(pod_cidr, subnet);
        if !view.owned_by(claimant.node).any(is_of) && !claims.iter().any(is_of) {
            claims.insert(choose(view, claimant.node, pod_cidr, attempts)?);
        }
    }
    Ok(claims)
}

fn claim_further(
    view: &RegistryView,
    claimant: Claimant<'_>,
    pod_cidr: &IpNet,
    known: Option<&[IpNet]>,
    attempts: &Attempts,
) -> Result<ClaimPlan, Error> {
    let owned = |subnet: &&IpNet| {
        view.claims
            .get(subnet)
            .is_some_and(|it| it.is_by(claimant.node))
    };
    let pending = attempts.pending.iter().find(owned);
    let unknown = known.and_then(|known| {
        let mut owned = view.owned_by(claimant.node);
        owned.find(|subnet| view.is_of(pod_cidr, subnet) && !known.contains(subnet))
    });
    if let Some((subnet, claim)) = pending
        .or(unknown)
        .and_then(|subnet| view.claims.get_key_value(subnet))
    {
        let adopted = vec![(*subnet, claim.revision)];
        return Ok((Vec::new(), adopted, vec![*subnet]));
    }
    let subnet = choose(view, claimant.node, pod_cidr, attempts)?;
    Ok((vec![subnet], Vec::new(), vec![subnet]))
}

fn choose(
    view: &RegistryView,
    node: &NodeName,
    pod_cidr: &IpNet,
    attempts: &Attempts,
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
    let mut pending = attempts.pending.iter().copied();
    let again = pending.find(|subnet| pool.is_free(subnet));
    again
        .or_else(|| pool.choose(node, attempts.races))
        .ok_or_else(|| Error::Exhausted {
            pod_cidr: *pod_cidr,
            total: pool.total(),
            excluded: pool.total() - Pool::new(*pod_cidr, length, excluded).free(),
            by_node: view.owners(pod_cidr),
        })
}

/// Those that are subnets of the network, ordered by pod CIDR, then by address.
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

#[cfg(test)]
mod tests;
