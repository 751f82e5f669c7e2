//! What is wrong on this node, and what somebody should know besides.

use ipnet::IpNet;
use registry::PresenceState;
use wire::node::NodeName;

use super::{Collector, Since};
use crate::fib::{ApplyError, plan};
use crate::kernel::Kernel;
use crate::reconcile::messages;
use crate::rib::held::Distrust;
use crate::rib::verdict::{ClaimVerdict, Explained};

impl<K: Kernel> Collector<'_, K> {
    pub(super) fn troubles(&self, missing: &[String]) -> Vec<String> {
        let (reconciler, journal) = (self.reconciler, self.journal);
        let peers = reconciler.rib();
        let mut all: Vec<String> = missing
            .iter()
            .map(|text| format!("not ready for pods: {text}"))
            .collect();
        let others = self.troubles.iter().copied();
        let texts = others
            .chain(self.chores.troubles())
            .chain(self.firewall.troubles());
        all.extend(texts.map(ToOwned::to_owned));
        if let Some((since, why)) = &journal.outage {
            let seconds = since.elapsed().as_secs();
            all.push(format!(
                "the registry has been out of reach for {seconds} s: {why}"
            ));
        }
        let distrusted = self.distrust();
        // Before it joined a node has no reason to believe any registry.
        let distrusted = distrusted.filter(|_| self.chores.has_joined());
        all.extend(distrusted.map(|why| distrust(why, peers.held().len())));
        if let PresenceState::Lost { why } | PresenceState::Refused { why } = &journal.presence {
            all.push(format!("peers do not see that this node is alive: {why}"));
        }
        let is_told = missing.iter().any(|text| text.contains("joined"));
        let join_why = journal.join_why.as_ref().filter(|_| !is_told);
        all.extend(join_why.map(|why| format!("this node's place in the registry: {why}")));
        for (subnet, owner) in reconciler.lost() {
            all.push(format!(
                "subnet {subnet} of this node belongs to node {owner} now"
            ));
        }
        let failures = reconciler.failures().all();
        all.extend(few(
            failures.map(|(subnet, why)| self.failure(subnet, why)),
            "more routes could not be brought into the kernel",
        ));
        all.extend(few(
            self.refusals(false).map(|(_, text)| text),
            "more claims have no route",
        ));
        all
    }

    pub(super) fn notices(&self) -> Vec<String> {
        let peers = self.reconciler.rib();
        let absences = self.journal.absences.all();
        let absences = absences.filter(|(node, _)| *node != self.node);
        let mut all = few(
            absences.map(|(node, since)| absent(node, since)),
            "more nodes are absent",
        );
        all.extend(few(
            self.refusals(true).map(|(_, text)| text),
            "more claims have no route yet",
        ));
        let ignored = peers.rejected();
        all.extend(few(
            ignored.map(|(key, why)| format!("ignored {key} in the registry: {why}")),
            "more records in the registry are ignored",
        ));
        all
    }

    /// The claims without a route: those whose peer is still to say something (`pending`), or the
    /// others.
    fn refusals(&self, pending: bool) -> impl Iterator<Item = (IpNet, String)> {
        let verdicts = self.reconciler.rib().verdicts();
        verdicts.filter_map(move |(subnet, node, verdict)| match verdict {
            ClaimVerdict::Refused(refusal) if refusal.is_pending() == pending => {
                Some((subnet, self.refusal(subnet, node, verdict)?))
            }
            _ => None,
        })
    }

    pub(super) fn refusal(
        &self,
        subnet: IpNet,
        peer: &NodeName,
        verdict: &ClaimVerdict,
    ) -> Option<String> {
        let ClaimVerdict::Refused(refusal) = verdict else {
            return None;
        };
        let here = self.reconciler.local_view();
        let explained = Explained {
            subnets: &[subnet],
            peer,
            refusal,
            here,
        };
        Some(explained.to_string())
    }

    pub(super) fn failure(&self, subnet: &IpNet, why: &ApplyError) -> String {
        let path = self.reconciler.desired().get(subnet);
        let peer = self.reconciler.rib().owner(subnet);
        match path {
            Some(path) => {
                let wanted = plan::route(*subnet, *path);
                messages::failure_line(&wanted, peer, why, self.reconciler.links())
            }
            None => format!("stale route to {subnet}: it cannot be withdrawn; trying again"),
        }
    }
}

/// As many of a kind are written out.
const MOST: usize = 5;

/// The first of them, and a line that says how many `more` there are.
pub(crate) fn few(all: impl Iterator<Item = String>, more: &str) -> Vec<String> {
    let mut all = all.fuse();
    let mut lines: Vec<_> = all.by_ref().take(MOST).collect();
    match all.count() {
        0 => {}
        count => lines.push(format!("{count} {more}")),
    }
    lines
}

/// Why the registry is not believed.
pub(super) fn distrust(why: &Distrust, held: usize) -> String {
    format!("{why}: nothing is withdrawn on its word; routes held against it: {held}")
}

/// A node that shows no sign of life.
pub(super) fn absent(node: &NodeName, since: Since) -> String {
    let or_longer = if since.or_longer { " at least" } else { "" };
    let date = crate::time::date(since.seconds);
    format!("node {node} has been absent since{or_longer} {date}; its routes stay")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_of_a_kind_are_counted() {
        let lines = |count: usize| few((0..count).map(|n| n.to_string()), "more things");
        assert_eq!(lines(0).len(), 0);
        assert_eq!(lines(5).len(), 5);
        assert_eq!(lines(7)[4..], ["4", "2 more things"]);
    }

    #[test]
    fn an_absence_says_since_when() {
        let node = NodeName::new("n2").unwrap();
        let since = |or_longer| Since {
            seconds: 1_795_239_498,
            or_longer,
        };
        assert_eq!(
            absent(&node, since(false)),
            "node n2 has been absent since 2026-11-21 05:38:18 UTC; its routes stay"
        );
        assert!(absent(&node, since(true)).contains("since at least 2026"));
    }
}
