//! Forgets nodes that have been absent for longer than `forgetAfter`: reads at intervals which
//! nodes are absent, and carries out what [`crate::membership::forget_after`] decides.
//!
//! The present node whose name comes first does this. Correctness does not depend on there being
//! only one: every write and every deletion is a transaction that compares what was read.

use std::sync::Arc;
use std::time::{Duration, Instant};

use daemonkit::OnChange;
use registry::{Absent, Backoff, Error, Registry};
use tokio::sync::watch;
use tokio::time::sleep;
use tracing::{debug, warn};
use wire::conf::IpamConfig;
use wire::node::NodeName;

use crate::membership::forget_after::{AbsenceTracker, ForgetTimes};
use crate::text::list;
use crate::time::age;

/// Runs as long as the daemon.
pub(crate) struct ForgetTask {
    node: NodeName,
    registry: Arc<Registry>,
    times: ForgetTimes,
    tracker: AbsenceTracker,
    /// Counts how often the registry was out of reach, or had to be read again as a whole.
    interruptions: watch::Receiver<u64>,
    failure: OnChange,
    too_many_absent: OnChange,
}

impl ForgetTask {
    /// Starts the task on `node`, if `conf` has `forgetAfter`.
    pub(crate) fn start(
        conf: &IpamConfig,
        node: &NodeName,
        registry: &Arc<Registry>,
        interruptions: watch::Receiver<u64>,
    ) {
        let Some(after) = conf.forget_after else {
            return;
        };
        let times = ForgetTimes { after };
        let task = Self {
            node: node.clone(),
            registry: Arc::clone(registry),
            times,
            tracker: AbsenceTracker::new(times),
            interruptions,
            failure: OnChange::default(),
            too_many_absent: OnChange::default(),
        };
        tokio::spawn(task.run());
    }

    /// Never ends.
    async fn run(mut self) {
        let interval = self.times.check_interval();
        let pauses = Backoff {
            first: interval,
            most: interval,
        };
        loop {
            sleep(pauses.pause(1)).await;
            match self.check().await {
                Ok(()) => drop(self.failure.clear()),
                // The registry's watch logs that.
                Err(Error::Unreachable { .. }) => self.tracker.reset(),
                Err(error) => {
                    self.tracker.reset();
                    let text = format!("forgetAfter check failed: {error}");
                    if self.failure.changed(&text) {
                        warn!(%error, "{text}; trying again");
                    }
                }
            }
        }
    }

    async fn check(&mut self) -> Result<(), Error> {
        let interruptions = *self.interruptions.borrow_and_update();
        if self.registry.first_present().await?.as_ref() != Some(&self.node) {
            self.tracker.reset();
            self.too_many_absent.clear();
            return Ok(());
        }
        let census = self.registry.census().await?;
        let now = Instant::now();
        let decision = self
            .tracker
            .observe(&census, &self.node, interruptions, now);
        self.log_too_many_absent(decision.too_many, census.present, census.absent.len());
        if let Some((node, absent, total)) = decision.forget {
            self.forget(&node, &absent, total).await?;
        }
        for (node, absent, seconds) in decision.write {
            debug!(%node, "node {node} has been absent for {seconds} s that count");
            let written = self.registry.count_absence(&node, &absent, seconds).await?;
            if let Some(revision) = written {
                self.tracker.recorded(&node, seconds, revision);
            }
        }
        Ok(())
    }

    async fn forget(
        &mut self,
        node: &NodeName,
        absent: &Absent,
        total: Duration,
    ) -> Result<(), Error> {
        let pause = self.times.cooldown();
        self.tracker.pause_until(Instant::now() + pause);
        let forgotten = self.registry.forget_absent(node, absent, pause).await?;
        if let Some(forgotten) = forgotten {
            let free = match forgotten.subnets.as_slice() {
                [] => "it owned no subnet".to_owned(),
                subnets => format!("free again: {}", list(subnets)),
            };
            warn!(
                %node,
                "node {node} is forgotten: it was absent for {}, and forgetAfter is {}; {free}",
                age(total.as_secs()),
                age(self.times.after.as_secs())
            );
        }
        Ok(())
    }

    fn log_too_many_absent(&mut self, too_many: bool, present: usize, absent: usize) {
        if !too_many {
            self.too_many_absent.clear();
            return;
        }
        // A fixed text: the numbers change with every node that comes or goes.
        if self.too_many_absent.changed("too many") {
            warn!(
                "{absent} of {} nodes are absent: none is forgotten (forgetAfter), and the time \
                 does not count, until more than half are present. Those that are gone for good: \
                 routed forget NODE",
                present + absent
            );
        }
    }
}
