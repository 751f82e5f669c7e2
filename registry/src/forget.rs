//! What becomes of a node that an operator wants forgotten.

use ipnet::IpNet;

use crate::records::{NodeRecord, Presence};

/// What came of forgetting a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Forget {
    /// The registry has nothing of it any more. This is what it had.
    Done(Forgotten),
    /// Nothing changed, because its `routed` is alive; `None` where its presence cannot be read.
    Present(Option<Presence>),
    /// The registry has nothing of a node of that name.
    Unknown,
}

/// What the registry had of a node.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// Its record, where that could be read.
    pub record: Option<NodeRecord>,
    /// Its presence, where there was one that could be read.
    pub presence: Option<Presence>,
    /// Its claims.
    pub subnets: Vec<IpNet>,
}

impl Forgotten {
    /// Takes in what a later look found.
    pub(crate) fn add(&mut self, later: &Self) {
        self.record = later.record.clone().or(self.record.take());
        self.presence = later.presence.clone().or(self.presence.take());
        for subnet in &later.subnets {
            if !self.subnets.contains(subnet) {
                self.subnets.push(*subnet);
            }
        }
    }
}
