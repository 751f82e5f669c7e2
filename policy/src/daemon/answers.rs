//! Answers to queries.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::process;

use policy::api::L4Protocol;
use policy::compile::Explanation;
use policy::rules::PodName;
use tokio::sync::oneshot;
use wire::policy_query::{ExplainedPort, PolicyAnswer};

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
        oneshot::Sender<Result<PolicyAnswer, String>>,
    ),
}

/// Which connection to explain.
#[derive(Debug, Clone)]
pub(crate) struct ExplainRequest {
    pub(crate) source: PodReference,
    pub(crate) destination: PodReference,
    pub(crate) port: ExplainedPort,
}

/// How a command names a pod.
#[derive(Debug, Clone)]
pub(crate) enum PodReference {
    Name(PodName),
    Address(IpAddr),
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

    fn explain(&self, request: &ExplainRequest) -> Result<PolicyAnswer, String> {
        let missing = self.missing();
        if let (false, Some(first)) = (self.has_read_all, missing.first()) {
            return Err(format!("the policies are not known yet: {first}"));
        }
        let (source, destination) = (&request.source, &request.destination);
        let (source, destination) = (self.resolve(source)?, self.resolve(destination)?);
        let ExplainedPort { number, protocol } = request.port;
        let protocol = L4Protocol::from(protocol.0);
        let explained = self.engine.explain(&source, &destination, protocol, number);
        let explained = explained.map_err(|error| error.to_string())?;
        let first = explained.first().ok_or("there is nothing to explain")?;
        let mut lines = Vec::new();
        for one in &explained {
            let connection = &one.connection;
            lines.push(format!(
                "{} -> {}",
                connection.source, connection.destination
            ));
            lines.extend(one.to_string().lines().map(|line| format!("  {line}")));
        }
        Ok(PolicyAnswer {
            is_allowed: explained.iter().all(Explanation::is_allowed),
            source: first.connection.source,
            destination: first.connection.destination,
            lines,
        })
    }

    fn resolve(&self, pod: &PodReference) -> Result<PodName, String> {
        let address = match pod {
            PodReference::Name(name) => return Ok(name.clone()),
            PodReference::Address(address) => *address,
        };
        let cluster = self.engine.cluster();
        if let Some(local) = cluster.local().holder(address) {
            return Ok(local.name.clone());
        }
        let owners = cluster.owners(address).into_iter();
        let mut names = owners.filter_map(|id| Some(cluster.pod(id)?.name.clone()));
        names.next().ok_or_else(|| {
            format!("no pod that the API server has shown has the address {address}")
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
            collections: self
                .collections
                .iter()
                .map(|(name, status)| ((*name).to_owned(), status.clone()))
                .collect(),
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
