//! What this node would have in the registry.

use std::collections::BTreeMap;

use ipnet::IpNet;
use registry::NodeRecord;
use wire::node::NodeName;

/// What the registry is to say of this node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wish {
    /// The node's record.
    pub(crate) record: NodeRecord,
    /// Counts the occasions on which the registry was seen to lack what it should have.
    pub(crate) round: u64,
    /// Subnets that this node owned and that the registry has given to others, and to whom.
    pub(crate) lost: BTreeMap<IpNet, NodeName>,
}

impl Wish {
    /// Whether what it asks for is the same, whenever it was asked.
    pub(super) fn is_as(&self, other: &Self) -> bool {
        self.record == other.record && self.lost == other.lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_is_the_same_whenever_it_is_made_but_not_for_another_record_or_loss() {
        let wish = Wish {
            record: NodeRecord {
                addresses: Vec::new(),
                machine_id: "0123456789abcdef0123456789abcdef".to_owned(),
            },
            round: 1,
            lost: BTreeMap::new(),
        };
        let mut later = wish.clone();
        later.round = 2;
        assert!(later.is_as(&wish));

        let mut moved = wish.clone();
        moved.record.addresses = vec!["192.168.1.11".parse().unwrap()];
        assert!(!moved.is_as(&wish));

        let mut poorer = wish.clone();
        let other = NodeName::new("n2").unwrap();
        poorer.lost.insert("10.244.7.0/24".parse().unwrap(), other);
        assert!(!poorer.is_as(&wish));
    }
}
