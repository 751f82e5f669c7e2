//! Until the API was read: the table of an earlier run stays as it is. Where there is none, all pods are
//! closed but those that no policy can select and those that have waited long enough.

use std::time::Instant;

use tracing::warn;
use wire::clock::unix_seconds;
use wire::netlink::Error;

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

    /// Returns whether somebody else had removed the table.
    fn close_again(&mut self) -> Result<bool, Error> {
        let is_gone = self.closed.may_be_gone && !self.table.does_stand()?;
        self.closed.may_be_gone = false;
        let pods = self.closed_pods();
        let is_other = self.closed.pods.as_ref().is_some_and(|it| *it != pods);
        if is_gone {
            warn!("the table is gone: all pods are closed until their policies are known");
        }
        if is_gone || is_other {
            // If this fails, it is tried again.
            self.closed.may_be_gone = true;
            self.table.close(&pods)?;
            self.closed.may_be_gone = false;
            self.closed.pods = Some(pods);
        }
        Ok(is_gone)
    }

    /// What the API has said so far is not looked at: policies may be missing.
    fn closed_pods(&self) -> Pods {
        let now = unix_seconds();
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
        all.chain(open).collect()
    }
}
