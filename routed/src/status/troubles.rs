//! The troubles (what needs attention) and the notices of `routed status`, as sentences.

use ipnet::IpNet;
use registry::PresenceState;
use wire::node::NodeName;

use super::{AbsentSince, Collector};
use crate::fib::{ApplyError, plan};
use crate::kernel::Kernel;
use crate::reconcile::messages;
use crate::rib::held::Distrust;
use crate::rib::verdict::{ClaimVerdict, RefusalMessage};

impl<K: Kernel> Collector<'_, K> {
    pub(super) fn troubles(&self, missing: &[String]) -> Vec<String> {
        let (reconciler, health) = (self.reconciler, self.health);
        let rib = reconciler.rib();
        let mut all: Vec<String> = missing
            .iter()
            .map(|text| format!("not ready for pods: {text}"))
            .collect();
        let others = self.troubles.iter().copied();
        let texts = others
            .chain(self.node_setup.troubles())
            .chain(self.firewall.troubles());
        let texts = texts.filter(|text| !missing.iter().any(|listed| listed == text));
        all.extend(texts.map(ToOwned::to_owned));
        if let Some((since, why)) = &health.outage {
            let seconds = since.elapsed().as_secs();
            all.push(format!(
                "the registry has been out of reach for {seconds} s: {why}"
            ));
        }
        let distrust = self.distrust();
        // Before a node has joined, it never trusts the registry.
        let distrust = distrust.filter(|_| self.node_setup.has_joined());
        all.extend(distrust.map(|why| distrust_message(why, rib.held().len())));
        if let PresenceState::Lost { why } | PresenceState::Refused { why } = &health.presence {
            all.push(format!("peers do not see that this node is alive: {why}"));
        }
        let is_listed = missing.iter().any(|text| text.contains("joined"));
        let join_failure = health.join_failure.as_ref().filter(|_| !is_listed);
        all.extend(join_failure.map(|why| format!("this node's place in the registry: {why}")));
        for (subnet, owner) in reconciler.lost_subnets() {
            all.push(format!(
                "subnet {subnet} of this node belongs to node {owner} now"
            ));
        }
        let failures = reconciler.retries().all();
        all.extend(first_few(
            failures.map(|(subnet, why)| self.failure(subnet, why)),
            "more routes could not be brought into the kernel",
        ));
        all.extend(first_few(
            self.refusals(false).map(|(_, text)| text),
            "more claims have no route",
        ));
        all
    }

    pub(super) fn notices(&self) -> Vec<String> {
        let rib = self.reconciler.rib();
        let absences = self.health.absences.all();
        let absences = absences.filter(|(node, _)| *node != self.node);
        let mut all = first_few(
            absences.map(|(node, since)| absence_message(node, since)),
            "more nodes are absent",
        );
        all.extend(first_few(
            self.refusals(true).map(|(_, text)| text),
            "more claims have no route yet",
        ));
        all.extend(first_few(
            rib.advertisers().shared(),
            "more addresses are advertised by several nodes",
        ));
        all.extend(first_few(
            self.reconciler.silent_hop_notices(),
            "more next hops do not answer",
        ));
        all.extend(self.node_setup.unseen_choice().map(str::to_owned));
        let ignored = rib.rejected();
        all.extend(first_few(
            ignored.map(|(key, why)| format!("ignored {key} in the registry: {why}")),
            "more records in the registry are ignored",
        ));
        all.extend(self.node_setup.notices().map(ToOwned::to_owned));
        all
    }

    /// The claims without a route: if `pending`, those that wait for more data of their peer,
    /// otherwise the others.
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
        let explained = RefusalMessage {
            subnets: &[subnet],
            peer,
            refusal,
            local: here,
        };
        Some(explained.to_string())
    }

    pub(super) fn failure(&self, subnet: &IpNet, why: &ApplyError) -> String {
        let path = self.reconciler.desired().get(subnet);
        let peer = self.reconciler.rib().owner(subnet);
        match path {
            Some(path) => {
                let desired = plan::route(*subnet, *path);
                messages::failure_line(&desired, peer, why, self.reconciler.links())
            }
            None => format!("stale route to {subnet}: it cannot be withdrawn; trying again"),
        }
    }
}

/// At most this many sentences of a kind are listed.
const MAX_LISTED: usize = 5;

/// The first sentences, and one that counts the others: `N more ...`.
pub(crate) fn first_few(all: impl Iterator<Item = String>, more: &str) -> Vec<String> {
    let mut all = all.fuse();
    let mut lines: Vec<_> = all.by_ref().take(MAX_LISTED).collect();
    match all.count() {
        0 => {}
        count => lines.push(format!("{count} {more}")),
    }
    lines
}

/// Why the registry is not trusted.
pub(super) fn distrust_message(why: &Distrust, held: usize) -> String {
    format!("{why}: keeping all routes; held although their claims are missing: {held}")
}

/// The notice of an absent node.
pub(super) fn absence_message(node: &NodeName, since: AbsentSince) -> String {
    let or_longer = if since.or_longer { " at least" } else { "" };
    let date = crate::time::date(since.seconds);
    format!("node {node} has been absent since{or_longer} {date}; its routes stay")
}

#[cfg(test)]
mod tests;
