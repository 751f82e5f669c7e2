//! The synchronous part of the daemon: takes in what the API and the ledgers say, and keeps the table
//! as the rules are. Nothing here waits; the event loop does.

pub(crate) mod answers;
mod api_updates;
mod closed_table;
mod closing;
mod counters;
mod cut;
mod denials;
pub(crate) mod event_loop;
mod kernel_table;
mod ledgers;
mod local_pods;
mod packets;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use daemonkit::OnChange;
use policy::compile::{Engine, PolicyEvent};
use policy::rules::{Change, LocalAddress, PodChain};
use tracing::{error, info, warn};
use wire::netlink::Error;
use wire::nft::NftMonitor;

use self::closed_table::ClosedTable;
use self::counters::Counters;
use self::cut::{ConnectionCutter, may_deny};
use self::denials::DenialLog;
use self::kernel_table::KernelTable;
use self::ledgers::LedgerChange;
use self::local_pods::{AttachedPods, PodClock};
use crate::config::Config;
use crate::lock;
use crate::status::CollectionStatus;
use crate::table::{PodVerdicts, Pods};
use policy::timeouts::{APPLY_BACKOFF, REPLACE_INTERVAL};

/// The daemon of a node.
pub(crate) struct PolicyDaemon {
    config: Config,
    engine: Engine,
    pods: AttachedPods,
    table: KernelTable,
    closed: ClosedTable,
    /// Whether the API was read to its end since the start: before, the table stays as it is.
    has_read_all: bool,
    /// Why collections cannot be read, by their names.
    outages: BTreeMap<&'static str, String>,
    /// How far the collections were read, by their names.
    collections: BTreeMap<&'static str, CollectionStatus>,
    counters: Counters,
    denials: DenialLog,
    cutter: ConnectionCutter,
    /// Whether pods of the node came, went or waited long enough since the table was changed.
    may_pods_change: bool,
    /// The earliest time of the next attempt, if the table is not as it should be.
    next_attempt_at: Instant,
    failures: u32,
    failure: OnChange,
    problems: BTreeSet<String>,
}

impl PolicyDaemon {
    /// Checks the kernel, and closes the node's pods unless the table of an earlier run stands: its
    /// rules hold until those of the API are known.
    pub(crate) fn start(config: Config) -> Result<Self, crate::error::Error> {
        let mut table = KernelTable::open()?;
        table.probe().map_err(crate::error::Error::Kernel)?;
        let closed = if table.does_stand()? {
            ClosedTable::kept(table.decided()?)
        } else {
            table.close(&Pods::new())?;
            info!("the table was not there: all pods are closed until their policies are known");
            ClosedTable::default()
        };
        lock::mark_ready()?;
        let now = Instant::now();
        Ok(Self {
            config,
            engine: Engine::default(),
            pods: AttachedPods::default(),
            table,
            closed,
            has_read_all: false,
            outages: BTreeMap::new(),
            collections: BTreeMap::new(),
            counters: Counters::default(),
            denials: DenialLog::default(),
            cutter: ConnectionCutter::new(now),
            may_pods_change: false,
            next_attempt_at: now,
            failures: 0,
            failure: OnChange::default(),
            problems: BTreeSet::new(),
        })
    }

    fn hide_from(&self, monitor: &mut NftMonitor) {
        self.table.hide_from(monitor);
    }

    /// Takes in changes of the ledgers.
    fn take_ledgers(&mut self, changes: Vec<LedgerChange>) {
        let own = self.config.network.clone();
        let events = changes
            .into_iter()
            .filter_map(|(network, change)| self.pods.take(&network, network == own, change));
        let events: Vec<_> = events.collect();
        self.may_pods_change = true;
        self.take(events);
    }

    fn take(&mut self, events: Vec<PolicyEvent>) {
        let change = self.engine.apply_all(events);
        self.note_problems();
        if may_deny(self.engine.ruleset(), &change) {
            self.cutter.ask();
        }
        self.cutter.note_freed(&change);
        self.apply(&change, Instant::now());
    }

    /// What is missing before the rules are those of the API.
    fn missing(&self) -> Vec<String> {
        if !self.has_read_all {
            let outages = self.outages.iter();
            let outages: Vec<_> = outages
                .map(|(collection, why)| format!("{collection} cannot be read: {why}"))
                .collect();
            if outages.is_empty() {
                return vec!["pods, namespaces and policies were not read yet".to_owned()];
            }
            return outages;
        }
        if self.table.is_unknown() {
            let why = self.failure.current().unwrap_or("it was changed by others");
            return vec![format!(
                "the table in the kernel is not as it should be: {why}"
            )];
        }
        Vec::new()
    }

    /// Brings a change into the kernel, or everything.
    fn apply(&mut self, change: &Change, now: Instant) {
        if !self.has_read_all {
            return;
        }
        if self.table.is_unknown() && now < self.next_attempt_at {
            return;
        }
        let is_whole = self.table.is_unknown();
        if is_whole || !change.removed_chains.is_empty() {
            self.read_counters();
        }
        let may_pods_change = is_whole || self.may_pods_change || !change.local.is_empty();
        let pods = may_pods_change.then(|| self.pod_verdicts());
        let ruleset = self.engine.ruleset();
        let outcome = if is_whole {
            self.table.replace(ruleset, pods.unwrap_or_default())
        } else {
            self.table.change(ruleset, change, pods)
        };
        match outcome {
            Ok(()) if is_whole => self.replaced(now),
            Ok(()) => self.counters.change(ruleset, change),
            Err(error) => return self.failed(&error, now),
        }
        self.may_pods_change = false;
    }

    fn replaced(&mut self, now: Instant) {
        if self.failure.clear() || self.failures > 0 {
            info!("the table in the kernel is as it should be again");
        }
        self.failures = 0;
        self.counters.reset(self.engine.ruleset());
        self.next_attempt_at = now + REPLACE_INTERVAL;
        // What the rules before allowed may not be allowed any more.
        self.cutter.ask();
    }

    fn failed(&mut self, error: &Error, now: Instant) {
        self.failures += 1;
        self.table.forget();
        self.next_attempt_at = now + APPLY_BACKOFF.pause(self.failures);
        let text = error.to_string();
        if self.failure.changed(&text) {
            error!(%error, "cannot change the rules of pods: {text}; replacing all of them");
        }
    }

    /// Another program changed the table, or may have.
    fn table_changed(&mut self, program: &str) {
        self.closed.doubt();
        if !self.table.is_unknown() {
            warn!("{program} changed the table inet flatland-policy; putting it back");
        }
        self.table.forget();
    }

    /// The chains of each pod of the node.
    fn pod_verdicts(&self) -> Pods {
        let cluster = self.engine.cluster();
        let ruleset = self.engine.ruleset();
        let now = PodClock::now();
        let of_pod = |pod: &policy::cluster::LedgerPod| {
            let held = pod.addresses.iter().find(|address| {
                let holder = cluster.local().holder(**address);
                holder.is_some_and(|holder| holder.id == pod.id)
            });
            let rules = held.and_then(|address| ruleset.local.get(address));
            let verdicts = rules.map_or(CLOSED, verdicts);
            if self.is_opened(&pod.id, verdicts, now) {
                PodVerdicts::OPEN
            } else {
                verdicts
            }
        };
        let decided = cluster.local().iter();
        let decided = decided.map(|pod| (pod.id.clone(), of_pod(pod)));
        let open = self.pods.unselectable();
        let open = open.map(|interface| (interface.to_owned(), PodVerdicts::OPEN));
        decided.chain(open).collect()
    }

    /// Whether an undecided pod is open because it has waited long enough.
    fn is_opened(&self, interface: &str, verdicts: PodVerdicts, now: PodClock) -> bool {
        let age = self.pods.age(interface, now);
        let limit = self.config.fail_open_after;
        verdicts == CLOSED && limit.zip(age).is_some_and(|(limit, age)| age >= limit)
    }

    /// When the next undecided pod is to be opened.
    fn opening_at(&self, now: Instant) -> Option<Instant> {
        let limit = self.config.fail_open_after?;
        let clock = PodClock::now();
        let cluster = self.engine.cluster();
        let waiting = cluster.local().iter().filter_map(|pod| {
            if self.has_read_all && cluster.decide(pod).is_ok() {
                return None;
            }
            let left = limit.checked_sub(self.pods.age(&pod.id, clock)?)?;
            (!left.is_zero()).then_some(left)
        });
        // The ages are whole seconds.
        waiting
            .min()
            .map(|left| now + left.max(Duration::from_millis(100)))
    }

    /// When to call [`Daemon::run_due`] next.
    fn wake_at(&self, now: Instant) -> Option<Instant> {
        let attempt = if self.has_read_all {
            self.table.is_unknown()
        } else {
            self.closed.is_doubted()
        };
        let attempt = attempt.then_some(self.next_attempt_at);
        let all = [attempt, self.cutter.wake_at(), self.opening_at(now)];
        all.into_iter().flatten().min()
    }

    /// Does what is due.
    fn run_due(&mut self, now: Instant) {
        self.may_pods_change |= self.config.fail_open_after.is_some();
        if !self.has_read_all {
            self.keep_closed(now);
        } else if self.table.is_unknown() || self.may_pods_change {
            self.apply(&Change::default(), now);
        }
        let pods = self.engine.ruleset().local.keys().copied();
        self.cutter.run_due(now, pods);
    }

    /// Logs what of the policies cannot be done, once.
    fn note_problems(&mut self) {
        let problems = self.engine.problems().into_iter();
        let found: BTreeSet<_> = problems
            .map(|it| format!("policy {}: {}", it.policy, it.text))
            .collect();
        for problem in found.difference(&self.problems) {
            warn!("{problem}");
        }
        self.problems = found;
    }

    /// Takes in what the rules have counted.
    fn read_counters(&mut self) {
        match self.table.counters() {
            Ok(found) => self.counters.take(&found),
            Err(error) => warn!(%error, "cannot read what the rules have counted: {error}"),
        }
    }
}

/// No rules yet.
const CLOSED: PodVerdicts = PodVerdicts {
    egress: PodChain::Undecided,
    ingress: PodChain::Undecided,
};

fn verdicts(local: &LocalAddress) -> PodVerdicts {
    PodVerdicts {
        egress: local.egress,
        ingress: local.ingress,
    }
}
