//! What the log says of this node's place in the registry.

use std::collections::BTreeMap;
use std::path::Path;

use ipnet::IpNet;
use registry::owned::Owned;
use registry::{Error, NodeRecord, Registration};
use tracing::warn;
use wire::node::NodeName;

use crate::text::list;

/// Says what somebody should know about how `node`, whose claims are remembered in `folder`, came
/// to hold its name.
pub(super) fn log_registration(
    node: &NodeName,
    folder: &Path,
    registration: &Registration,
    record: &NodeRecord,
) -> Result<(), Error> {
    match registration {
        Registration::TookOver { from } => warn!(
            "took over the name and the subnets of node {node} from machine {} ({}), whose \
             routed is gone; this is machine {} ({})",
            from.machine_id,
            list(&from.addresses),
            record.machine_id,
            list(&record.addresses)
        ),
        Registration::New => {
            let known = Owned::load(folder)?.filter(|owned| owned.node == *node);
            if known.is_some_and(|owned| !owned.subnets.is_empty()) {
                warn!(
                    "node {node} is not in the registry any more: it was forgotten, or etcd lost \
                     its data; it registers anew and claims what it owned, as far as nobody else \
                     has it"
                );
            }
        }
        Registration::Unchanged | Registration::Updated => {}
    }
    Ok(())
}

/// What tells one trouble from the next: an outage is one, although it looks different from try to
/// try. `text` is all that there is to say of `error`.
pub(super) fn dedup_key<'a>(error: &Error, text: &'a str) -> &'a str {
    match error {
        Error::Unreachable { .. } => "unreachable",
        _ => text,
    }
}

/// What the registry is to say of this node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DesiredRegistration {
    /// The node's record.
    pub(crate) record: NodeRecord,
    /// Counts the occasions on which the registry was seen to lack what it should have.
    pub(crate) generation: u64,
    /// Subnets that this node owned and that the registry has given to others, and to whom.
    pub(crate) lost: BTreeMap<IpNet, NodeName>,
}

impl DesiredRegistration {
    /// Whether what it asks for is the same, whenever it was asked.
    pub(super) fn same_request(&self, other: &Self) -> bool {
        self.record == other.record && self.lost == other.lost
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::log::OnChange;

    fn unreachable(why: &str) -> Error {
        Error::Unreachable {
            endpoints: vec!["http://192.168.1.2:2379".to_owned()],
            within: Duration::from_secs(30),
            why: why.to_owned(),
        }
    }

    fn refused(why: &str) -> Error {
        Error::Refused {
            endpoint: "http://192.168.1.2:2379".to_owned(),
            why: why.to_owned(),
            denied: false,
        }
    }

    #[test]
    fn an_outage_is_told_of_once_and_another_trouble_again() {
        let mut said = OnChange::default();
        for (error, is_news) in [
            (unreachable("connection refused"), true),
            (unreachable("no connection in time"), false),
            (refused("database space exceeded"), true),
            (refused("database space exceeded"), false),
            (refused("too many requests"), true),
            (unreachable("connection refused"), true),
        ] {
            let text = error.to_string();
            assert_eq!(said.changed(dedup_key(&error, &text)), is_news, "{text}");
        }
    }

    #[test]
    fn a_wish_is_the_same_whenever_it_is_made_but_not_for_another_record_or_loss() {
        let wish = DesiredRegistration {
            record: NodeRecord {
                addresses: Vec::new(),
                machine_id: "0123456789abcdef0123456789abcdef".to_owned(),
            },
            generation: 1,
            lost: BTreeMap::new(),
        };
        let mut later = wish.clone();
        later.generation = 2;
        assert!(later.same_request(&wish));

        let mut moved = wish.clone();
        moved.record.addresses = vec!["192.168.1.11".parse().unwrap()];
        assert!(!moved.same_request(&wish));

        let mut poorer = wish.clone();
        let other = NodeName::new("n2").unwrap();
        poorer.lost.insert("10.244.7.0/24".parse().unwrap(), other);
        assert!(!poorer.same_request(&wish));
    }
}
