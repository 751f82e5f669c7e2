//! Requests in flight, and the revisions in their conditions.

use super::Without;
use super::store::{SUBNETS, SubnetSet, number};
use crate::keys::Key;
use crate::protocol::transaction::{Transaction, Write};

/// A key and the revision of its last write.
///
/// Revisions are counted per key, and only as far as they matter: [`ABSENT`] if the key does not
/// exist, [`PRESENT`] if it does. A write adds one, until [`Entry::renumber`] resets it after all
/// conditions in flight were updated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Entry<T> {
    pub(super) value: Option<T>,
    pub(super) revision: i8,
}

impl<T> Default for Entry<T> {
    fn default() -> Self {
        Self {
            value: None,
            revision: ABSENT,
        }
    }
}

pub(super) const ABSENT: i8 = 0;
const PRESENT: i8 = 1;
/// In a condition: that revision is gone and never comes back.
const GONE: i8 = -1;

impl<T> Entry<T> {
    pub(super) fn put(&mut self, value: T) {
        self.value = Some(value);
        self.revision += 1;
    }

    pub(super) fn delete(&mut self) {
        *self = Self::default();
    }

    /// The updated revision of a condition on this key.
    pub(super) fn renumbered(&self, condition: i8) -> i8 {
        match condition {
            ABSENT => ABSENT,
            same if same == self.revision => PRESENT,
            _ => GONE,
        }
    }

    pub(super) fn renumber(&mut self) {
        self.revision = self.revision.min(PRESENT);
    }
}

/// A transaction of the product, in a form that can be part of a state.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct StoreRequest {
    pub(super) record: Option<i8>,
    /// The required revision of the presence, if it matters.
    pub(super) presence: Option<i8>,
    pub(super) subnets: [Option<i8>; SUBNETS.len()],
    pub(super) writes_record: bool,
    pub(super) claims: SubnetSet,
    pub(super) deletes: SubnetSet,
}

impl StoreRequest {
    pub(super) fn of(transaction: &Transaction) -> Self {
        let mut request = Self::default();
        for condition in &transaction.conditions {
            let revision = i8::try_from(condition.revision).expect("a revision of the model");
            match condition.key {
                Key::Node(_) => request.record = Some(revision),
                Key::Presence(_) => request.presence = Some(revision),
                Key::Subnet(subnet) => request.subnets[number(subnet)] = Some(revision),
                // The network is agreed on before the model begins.
                Key::Config => {}
            }
        }
        for write in &transaction.writes {
            match write {
                Write::Node(..) => request.writes_record = true,
                Write::Claim(subnet, _) => request.claims[number(*subnet)] = true,
                Write::Delete(Key::Subnet(subnet)) => request.deletes[number(*subnet)] = true,
                Write::Delete(_) | Write::Config | Write::DeleteAbsence(_) => {}
            }
        }
        request
    }

    /// Whether it makes this new claim.
    pub(super) fn makes(&self, n: usize) -> bool {
        self.claims[n] && self.subnets[n] == Some(ABSENT)
    }

    /// Replaces a request that can never succeed. Its new claims are kept, because they are tried
    /// again first.
    pub(super) fn doomed(&self) -> Self {
        let made: SubnetSet = std::array::from_fn(|n| self.makes(n));
        Self {
            record: Some(GONE),
            subnets: made.map(|made| made.then_some(ABSENT)),
            claims: made,
            ..Self::default()
        }
    }

    /// Whether it takes over the name from another session.
    pub(super) fn takes_over(&self) -> bool {
        self.presence.is_some()
    }

    /// Whether it can never be carried out any more.
    pub(super) fn is_doomed(&self, without: Without) -> bool {
        let record = self.record == Some(GONE) && without != Without::SameRecord;
        let presence = self.presence == Some(GONE) && without != Without::SamePresence;
        record || presence || self.subnets.contains(&Some(GONE))
    }
}
