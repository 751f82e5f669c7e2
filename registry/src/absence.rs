//! Which nodes are absent: registered, without a sign of life.

use std::collections::BTreeMap;

use wire::node::NodeName;

/// Who is there and who is not, at one revision.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Census {
    /// How many registered nodes are present.
    pub present: usize,
    /// The registered nodes that are not.
    pub absent: BTreeMap<NodeName, Absent>,
}

/// A node that is absent, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Absent {
    /// The revision that the node's record was written at. A record that is written anew is a sign
    /// of life.
    pub record: i64,
    /// The revision that `seconds` was written at; 0 when it is not. A node that is present for a
    /// moment takes it away.
    pub counted: i64,
    /// The time that counts of its absence.
    pub seconds: u64,
}
