//! What the reconciler did, in words.

use wire::netlink::Route;

use super::Reconciler;
use crate::fib::Why;
use crate::guests::GATEWAY;
use crate::plan::{Change, Step};
use crate::report::{self, Kind, Line};

impl<K> Reconciler<K> {
    /// What became of the kernel.
    pub(super) fn success(&self, step: &Step) -> Line {
        let peer = self.peers.owner(&step.dst);
        let was_there = |route| {
            let before = self.before.get(&step.dst);
            before.is_some_and(|all| all.contains(route))
        };
        let line = |route| report::route_line(route, peer, &self.side.links);
        match &step.change {
            Change::Add(new) if was_there(new) => Line::new(
                Kind::Restored,
                format!("{} put back: it was gone", line(new)),
            ),
            Change::Replace { old, new } if was_there(new) => {
                let text = format!("{} put back: somebody made it{}", line(new), self.way(old));
                Line::new(Kind::Restored, text)
            }
            Change::Add(new) => Line::new(Kind::Added, format!("{} added", line(new))),
            Change::Replace { old, new } => {
                Line::new(Kind::Moved, format!("{}: was{}", line(new), self.way(old)))
            }
            Change::Remove(old) => match peer {
                Some(peer) if self.peers.has_left(&step.dst) => {
                    let text = format!("{peer} left: {} withdrawn", line(old));
                    Line::new(Kind::Withdrawn, text)
                }
                Some(_) => Line::new(Kind::Withdrawn, format!("{} withdrawn", line(old))),
                None if step.dst == GATEWAY => {
                    let text = format!("{} withdrawn: this node needs none", line(old));
                    Line::new(Kind::Withdrawn, text)
                }
                None => {
                    let text = format!("stale {} withdrawn: no node claims it", line(old));
                    Line::new(Kind::Pruned, text)
                }
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
    pub(super) fn failure(&self, step: &Step, why: &Why) -> Line {
        let (Change::Add(route) | Change::Replace { new: route, .. } | Change::Remove(route)) =
            &step.change;
        let peer = self.peers.owner(&step.dst);
        Line::new(
            Kind::Failed,
            report::failure_line(route, peer, why, &self.side.links),
        )
    }
}
