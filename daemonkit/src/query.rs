//! Queries to the event loop, which its answers prove to be alive.

use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::identity::DaemonIdentity;
use crate::timeouts::STATUS_QUERY_TIMEOUT;

/// At most this many queries wait for the loop.
const MAX_QUERIES: usize = 16;

/// The event loop did not answer in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the event loop of {} has not answered for {} s: it waits for the kernel, a disk or \
     another program, or hangs; {} stay as they are. Its log shows what it did last; \
     restart it if this lasts",
    .daemon.name, .waited.as_secs(), .daemon.unaffected
)]
pub struct Stuck {
    daemon: DaemonIdentity,
    waited: Duration,
}

/// Sends queries of the type `Q` to an event loop. Each has the sender for its answer in it.
#[derive(Debug)]
pub struct QueryClient<Q> {
    daemon: DaemonIdentity,
    queries: mpsc::Sender<Q>,
    timeout: Duration,
}

impl<Q> Clone for QueryClient<Q> {
    fn clone(&self) -> Self {
        Self {
            queries: self.queries.clone(),
            ..*self
        }
    }
}

/// A client, and the receiver for the event loop of `daemon`.
pub fn channel<Q>(daemon: DaemonIdentity) -> (QueryClient<Q>, mpsc::Receiver<Q>) {
    let (queries, receiver) = mpsc::channel(MAX_QUERIES);
    let client = QueryClient {
        daemon,
        queries,
        timeout: STATUS_QUERY_TIMEOUT,
    };
    (client, receiver)
}

impl<Q> QueryClient<Q> {
    /// Sends the query that `make_query` makes, and waits for the answer.
    pub async fn query<T>(
        &self,
        make_query: impl FnOnce(oneshot::Sender<T>) -> Q,
    ) -> Result<T, Stuck> {
        let began = Instant::now();
        let daemon = self.daemon;
        let stuck = |waited| Stuck { daemon, waited };
        let (answer, answered) = oneshot::channel();
        let sending = self.queries.send(make_query(answer));
        let sent = timeout(self.timeout, sending).await;
        let sent = sent.map_err(|_| stuck(began.elapsed()))?;
        sent.map_err(|_| stuck(Duration::ZERO))?;
        let answer = timeout(self.timeout, answered).await;
        let answer = answer.map_err(|_| stuck(began.elapsed()))?;
        answer.map_err(|_| stuck(Duration::ZERO))
    }
}

#[cfg(test)]
mod tests;
