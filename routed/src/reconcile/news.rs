//! What the reconciler did, in words.

use wire::netlink::Route;

use super::Reconciler;
use crate::fib::Why;
use crate::guests::GATEWAY;
use crate::plan::{Change, Step};
use crate::report::{self, Kind};

impl<K> Reconciler<K> {
    /// What a step that was taken came to.
    pub(super) fn outcome(&self, step: &Step) -> Kind {
        let was_there = |route| {
            let before = self.before.get(&step.dst);
            before.is_some_and(|all| all.contains(route))
        };
        match &step.change {
            Change::Add(new) | Change::Replace { new, .. } if was_there(new) => Kind::Restored,
            Change::Add(_) => Kind::Added,
            Change::Replace { .. } => Kind::Moved,
            Change::Remove(_) if step.dst == GATEWAY => Kind::Withdrawn,
            Change::Remove(_) if self.peers.owner(&step.dst).is_some() => Kind::Withdrawn,
            Change::Remove(_) => Kind::Pruned,
        }
    }

    /// The same in words.
    pub(super) fn success(&self, step: &Step, outcome: Kind) -> String {
        let peer = self.peers.owner(&step.dst);
        let line = |route| report::route_line(route, peer, &self.side.links);
        match (&step.change, outcome) {
            (Change::Add(new), Kind::Restored) => format!("{} put back: it was gone", line(new)),
            (Change::Add(new), _) => format!("{} added", line(new)),
            (Change::Replace { old, new }, Kind::Restored) => {
                format!("{} put back: somebody made it{}", line(new), self.way(old))
            }
            (Change::Replace { old, new }, _) => format!("{}: was{}", line(new), self.way(old)),
            (Change::Remove(old), Kind::Pruned) => {
                format!("stale {} withdrawn: no node claims it", line(old))
            }
            (Change::Remove(old), _) => match peer {
                Some(peer) if self.peers.has_left(&step.dst) => {
                    format!("{peer} left: {} withdrawn", line(old))
                }
                Some(_) => format!("{} withdrawn", line(old)),
                None => format!("{} withdrawn: this node needs none", line(old)),
            },
        }
    }

    fn way(&self, route: &Route) -> String {
        let way = report::way(route, &self.side.links);
        if way.is_empty() {
            " unreachable".to_owned()
        } else {
            way
        }
    }

    /// What did not.
    pub(super) fn failure(&self, step: &Step, why: &Why) -> String {
        let (Change::Add(route) | Change::Replace { new: route, .. } | Change::Remove(route)) =
            &step.change;
        let peer = self.peers.owner(&step.dst);
        report::failure_line(route, peer, why, &self.side.links)
    }
}
