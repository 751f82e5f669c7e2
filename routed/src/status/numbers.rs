//! How many there are of each.

use std::collections::BTreeMap;

use ipnet::IpNet;

use super::{Conflicts, Gatherer, Nodes, Routes};
use crate::desired::Path;
use crate::fib::{Kernel, Why};
use crate::plan;
use crate::verdict::{Refusal, Verdict};

impl<K: Kernel> Gatherer<'_, K> {
    pub(super) fn nodes_in_numbers(&self) -> Nodes {
        let absent = self.journal.absences.all().len();
        let all = self.reconciler.peers().nodes().count();
        Nodes {
            present: all.saturating_sub(absent),
            absent,
        }
    }

    pub(super) fn routes_in_numbers(&self) -> Routes {
        let (desired, actual) = (self.reconciler.desired(), self.reconciler.actual());
        let is_missing = |(subnet, path): &(&IpNet, &Path)| {
            let wanted = plan::route(**subnet, **path);
            let there = actual.get(*subnet);
            !there.is_some_and(|routes| routes.contains(&wanted))
        };
        let changes = self.reconciler.changes().iter();
        Routes {
            desired: desired.len(),
            actual: actual.values().map(Vec::len).sum(),
            missing: desired.iter().filter(is_missing).count(),
            changes: changes
                .map(|(kind, count)| (kind.name().to_owned(), *count))
                .collect(),
        }
    }

    pub(super) fn refused_in_numbers(&self) -> BTreeMap<String, usize> {
        let mut numbers = BTreeMap::new();
        for (_, _, verdict) in self.reconciler.peers().verdicts() {
            if let Verdict::Refused(refusal) = verdict {
                *numbers.entry(refusal.name().to_owned()).or_default() += 1;
            }
        }
        numbers
    }

    pub(super) fn conflicts(&self) -> Conflicts {
        let failures = self.reconciler.failures().all();
        let routes = failures.filter(|(_, why)| matches!(why, Why::Conflict(_)));
        let verdicts = self.reconciler.peers().verdicts();
        let claims = verdicts
            .filter(|(_, _, verdict)| matches!(verdict, Verdict::Refused(Refusal::OwnedHere(_))));
        Conflicts {
            routes: routes.count(),
            claims: claims.count(),
        }
    }
}
