//! Answers to queries.

use std::collections::{BTreeMap, BTreeSet};
use std::process;

use policy::api::L4Protocol;
use policy::rules::PodName;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use super::{CLOSED, PolicyDaemon};
use crate::status::{EnforcementStatus, PolicyCount};
use crate::table::PodVerdicts;

/// A query of the command line, or of a page.
#[derive(Debug)]
pub(crate) enum PolicyQuery {
    /// Whether the event loop is alive.
    Ping(oneshot::Sender<()>),
    Status(oneshot::Sender<EnforcementStatus>),
    /// All rules, as a person would write them.
    Rules(oneshot::Sender<String>),
    Explain(
        ExplainRequest,
        oneshot::Sender<Result<ExplainAnswer, String>>,
    ),
}

/// Which connection to explain.
#[derive(Debug, Clone)]
pub(crate) struct ExplainRequest {
    pub(crate) source: PodName,
    pub(crate) destination: PodName,
    pub(crate) protocol: L4Protocol,
    pub(crate) port: u16,
}

/// What the policies say of a connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ExplainAnswer {
    /// Whether both ends allow it, in all address families that both pods have.
    pub(crate) is_allowed: bool,
    /// The steps and the verdict of each end, by pair of addresses.
    pub(crate) lines: Vec<String>,
}

impl PolicyDaemon {
    /// Answers a query. A caller that is gone misses nothing.
    pub(super) fn answer(&mut self, query: PolicyQuery) {
        match query {
            PolicyQuery::Ping(sender) => drop(sender.send(())),
            PolicyQuery::Status(sender) => drop(sender.send(self.status())),
            PolicyQuery::Rules(sender) => drop(sender.send(self.engine.ruleset().to_string())),
            PolicyQuery::Explain(request, sender) => drop(sender.send(self.explain(&request))),
        }
    }

    fn explain(&self, request: &ExplainRequest) -> Result<ExplainAnswer, String> {
        let missing = self.missing();
        if let (false, Some(first)) = (self.has_read_all, missing.first()) {
            return Err(format!("the policies are not known yet: {first}"));
        }
        let ExplainRequest {
            source,
            destination,
            protocol,
            port,
        } = request;
        let explained = self.engine.explain(source, destination, *protocol, *port);
        let explained = explained.map_err(|error| error.to_string())?;
        let mut lines = Vec::new();
        for one in &explained {
            let connection = &one.connection;
            lines.push(format!(
                "{} -> {}",
                connection.source, connection.destination
            ));
            lines.extend(one.to_string().lines().map(|line| format!("  {line}")));
        }
        Ok(ExplainAnswer {
            is_allowed: explained
                .iter()
                .all(policy::compile::Explanation::is_allowed),
            lines,
        })
    }

    fn status(&mut self) -> EnforcementStatus {
        self.read_counters();
        let missing = self.missing();
        let mut troubles: Vec<_> = missing
            .iter()
            .map(|it| format!("not ready: {it}"))
            .collect();
        let outages = self.outages.iter().filter(|_| self.has_read_all);
        troubles.extend(outages.map(|(collection, why)| {
            format!("{collection} cannot be read, what was read of them stays: {why}")
        }));
        troubles.extend(self.engine.undecided().map(|undecided| {
            let pod = &undecided.pod.name;
            format!("pod {pod} is closed: {}", undecided.reason)
        }));
        troubles.extend(self.problems.iter().cloned());
        EnforcementStatus {
            version: wire::VERSION.to_owned(),
            pid: process::id(),
            missing,
            troubles,
            pods: self.pod_counts(),
            rules: self.rule_counts(),
            counts: self.policy_counts(),
        }
    }

    fn pod_counts(&self) -> BTreeMap<String, usize> {
        let mut counts: BTreeMap<_, _> = ["open", "isolated", "undecided"]
            .map(|kind| (kind.to_owned(), 0))
            .into();
        for verdicts in self.pod_verdicts().values() {
            let kind = match *verdicts {
                CLOSED => "undecided",
                PodVerdicts::OPEN => "open",
                _ => "isolated",
            };
            *counts.entry(kind.to_owned()).or_default() += 1;
        }
        counts
    }

    fn rule_counts(&self) -> BTreeMap<String, usize> {
        let ruleset = self.engine.ruleset();
        let sets = ruleset.sets.values();
        let elements = sets
            .filter_map(|set| set.elements())
            .map(BTreeSet::len)
            .sum();
        let rules = ruleset.chains.values().map(|chain| chain.rules.len()).sum();
        let counts = [
            ("sets", ruleset.sets.len()),
            ("elements", elements),
            ("chains", ruleset.chains.len()),
            ("rules", rules),
        ];
        counts.map(|(kind, count)| (kind.to_owned(), count)).into()
    }

    fn policy_counts(&self) -> Vec<PolicyCount> {
        let totals = self.counters.totals().iter();
        let count = |(key, packets): (&super::counters::CounterKey, &u64)| PolicyCount {
            policy: key.policy.clone(),
            direction: key.direction.to_string(),
            action: key.action.to_string(),
            packets: *packets,
        };
        totals.map(count).collect()
    }
}
