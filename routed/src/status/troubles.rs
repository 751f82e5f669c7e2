//! What is wrong on this node, and what somebody should know besides.

use ipnet::IpNet;
use registry::PresenceState;
use wire::node::NodeName;

use super::{Gatherer, words};
use crate::fib::{Kernel, Why};
use crate::plan;
use crate::report;
use crate::verdict::{Explained, Verdict};

impl<K: Kernel> Gatherer<'_, K> {
    pub(super) fn troubles(&self, missing: &[String]) -> Vec<String> {
        let (reconciler, journal) = (self.reconciler, self.journal);
        let peers = reconciler.peers();
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
        let distrust = self.distrust();
        // Before it joined a node has no reason to believe any registry.
        let distrust = distrust.filter(|_| self.chores.has_joined());
        all.extend(distrust.map(|why| words::distrust(why, peers.held().len())));
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
        all.extend(words::few(
            failures.map(|(subnet, why)| self.failure(subnet, why)),
            "more routes could not be brought into the kernel",
        ));
        all.extend(words::few(
            self.refusals(false).map(|(_, text)| text),
            "more claims have no route",
        ));
        all
    }

    pub(super) fn remarks(&self) -> Vec<String> {
        let peers = self.reconciler.peers();
        let absent = self.journal.absences.all();
        let absent = absent.filter(|(node, _)| *node != self.node);
        let mut all = words::few(
            absent.map(|(node, since)| words::absent(node, since)),
            "more nodes are absent",
        );
        all.extend(words::few(
            self.refusals(true).map(|(_, text)| text),
            "more claims have no route yet",
        ));
        let ignored = peers.rejected();
        all.extend(words::few(
            ignored.map(|(key, why)| format!("ignored {key} in the registry: {why}")),
            "more records in the registry are ignored",
        ));
        all
    }

    /// The claims without a route: those whose peer is still to say something (`pending`), or the
    /// others.
    fn refusals(&self, pending: bool) -> impl Iterator<Item = (IpNet, String)> {
        let verdicts = self.reconciler.peers().verdicts();
        verdicts.filter_map(move |(subnet, node, verdict)| match verdict {
            Verdict::Refused(refusal) if refusal.is_pending() == pending => {
                Some((subnet, self.refusal(subnet, node, verdict)?))
            }
            _ => None,
        })
    }

    pub(super) fn refusal(
        &self,
        subnet: IpNet,
        peer: &NodeName,
        verdict: &Verdict,
    ) -> Option<String> {
        let Verdict::Refused(refusal) = verdict else {
            return None;
        };
        let here = self.reconciler.here();
        let explained = Explained {
            subnets: &[subnet],
            peer,
            refusal,
            here,
        };
        Some(explained.to_string())
    }

    pub(super) fn failure(&self, subnet: &IpNet, why: &Why) -> String {
        let path = self.reconciler.desired().get(subnet);
        let peer = self.reconciler.peers().owner(subnet);
        match path {
            Some(path) => {
                let wanted = plan::route(*subnet, *path);
                report::failure_line(&wanted, peer, why, self.reconciler.links())
            }
            None => format!("stale route to {subnet}: it cannot be withdrawn; trying again"),
        }
    }
}
