//! What a commit asks of the registry, before it is put into etcd's words.

use ipnet::IpNet;
use wire::node::NodeName;

use crate::keys::Key;
use crate::protocol::Commit;
use crate::records::NodeRecord;

/// What a key must be like for anything to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Condition {
    /// Last written at this revision; 0 for one that must not exist.
    Unchanged(Key, i64),
    /// Not there.
    Absent(Key),
}

/// What is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Write {
    Config,
    Node(NodeRecord),
    Claim(IpNet),
}

impl Commit {
    /// They make two claims of one subnet impossible, whatever happens between reading and writing.
    pub(crate) fn conditions(&self, node: &NodeName) -> Vec<Condition> {
        let mut conditions = vec![
            Condition::Unchanged(Key::Config, self.network_revision),
            Condition::Unchanged(Key::Node(node.clone()), self.name.revision),
        ];
        if self.name.needs_absence() {
            conditions.push(Condition::Absent(Key::Presence(node.clone())));
        }
        let claims = self.claims.iter();
        conditions.extend(claims.map(|subnet| Condition::Absent(Key::Subnet(*subnet))));
        conditions
    }

    pub(crate) fn writes(&self) -> Vec<Write> {
        let record = self.name.write.iter().cloned().map(Write::Node);
        let config = (self.network_revision == 0).then_some(Write::Config);
        let claims = self.claims.iter().copied().map(Write::Claim);
        record.chain(config).chain(claims).collect()
    }
}
