//! Until the API was read: pods that an earlier run had decided keep its rules in its table. All others are
//! closed, except those that no policy can select and those that have waited long enough.

use std::time::Instant;

use tracing::warn;
use wire::netlink::Error;

use super::local_pods::PodClock;
use super::{CLOSED, PolicyDaemon};
use crate::table::{PodVerdicts, Pods};
use policy::timeouts::REPLACE_INTERVAL;

impl PolicyDaemon {
    /// Closes the pods again if the table is gone, and opens those that are to be open.
    pub(super) fn keep_closed(&mut self, now: Instant) {
        if now < self.next_attempt_at {
            // What came meanwhile is looked at then.
            self.closed.doubt();
            return;
        }
        match self.close_again() {
            Ok(true) => self.next_attempt_at = now + REPLACE_INTERVAL,
            Ok(false) => {}
            Err(error) => self.failed(&error, now),
        }
    }

    /// Returns whether another program had removed the table.
    fn close_again(&mut self) -> Result<bool, Error> {
        let is_gone = self.closed.may_be_gone && !self.table.does_stand()?;
        self.closed.may_be_gone = false;
        if is_gone {
            warn!("the table is gone: all pods are closed until their policies are known");
            self.closed.decided = None;
        }
        let pods = self.closed_pods();
        if is_gone || pods != self.closed.pods {
            // If this fails, it is tried again.
            self.closed.may_be_gone = true;
            if self.closed.decided.is_some() {
                self.table.add_pods(&self.closed.pods, &pods)?;
            } else {
                self.table.close(&pods)?;
            }
            self.closed.may_be_gone = false;
            self.closed.pods = pods;
        }
        Ok(is_gone)
    }

    /// The pods that have no rules of an earlier run. What the API has said so far is not looked at:
    /// policies may be missing.
    fn closed_pods(&self) -> Pods {
        let now = PodClock::now();
        let verdicts = |id: &str| {
            if self.is_opened(id, CLOSED, now) {
                PodVerdicts::OPEN
            } else {
                CLOSED
            }
        };
        let all = self.engine.cluster().local().iter();
        let all = all.map(|pod| (pod.id.clone(), verdicts(&pod.id)));
        let open = self.pods.unselectable();
        let open = open.map(|interface| (interface.to_owned(), PodVerdicts::OPEN));
        let is_decided = |id: &String| {
            let decided = self.closed.decided.as_ref();
            decided.is_some_and(|it| it.contains(id))
        };
        all.chain(open).filter(|(id, _)| !is_decided(id)).collect()
    }
}
