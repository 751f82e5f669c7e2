//! Queries to the event loop, which its answers prove to be alive.

use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::node_report::report::NodeReport;
use crate::status::{NodeRow, RouteRow, Status};
use crate::timeouts::STATUS_QUERY_TIMEOUT;

/// At most this many queries wait for the loop.
const MAX_QUERIES: usize = 16;

/// A query, and the channel for its answer.
#[derive(Debug)]
pub(crate) enum Query {
    /// Whether the loop is alive.
    Ping(oneshot::Sender<()>),
    /// The status.
    Status(oneshot::Sender<Status>),
    /// All nodes.
    Nodes(oneshot::Sender<Vec<NodeRow>>),
    /// What the Node object says of this node.
    NodeReport(oneshot::Sender<NodeReport>),
    /// All desired routes.
    Routes(oneshot::Sender<Vec<RouteRow>>),
}

/// The event loop did not answer in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the event loop of routed has not answered for {} s: it waits for the kernel, a disk or \
     another program, or hangs; routes and pods stay as they are. Its log shows what it did last; \
     restart it if this lasts",
    .0.as_secs()
)]
pub(crate) struct Stuck(Duration);

/// Sends queries.
#[derive(Debug, Clone)]
pub(crate) struct QueryClient {
    queries: mpsc::Sender<Query>,
    timeout: Duration,
}

/// A client, and the receiver for the event loop.
pub(crate) fn channel() -> (QueryClient, mpsc::Receiver<Query>) {
    let (queries, receiver) = mpsc::channel(MAX_QUERIES);
    let client = QueryClient {
        queries,
        timeout: STATUS_QUERY_TIMEOUT,
    };
    (client, receiver)
}

impl QueryClient {
    /// Sends the query that `make_query` makes, and waits for the answer.
    pub(crate) async fn query<T>(
        &self,
        make_query: fn(oneshot::Sender<T>) -> Query,
    ) -> Result<T, Stuck> {
        let began = Instant::now();
        let stuck = |_| Stuck(began.elapsed());
        let (answer, answered) = oneshot::channel();
        let sending = self.queries.send(make_query(answer));
        let sent = timeout(self.timeout, sending).await.map_err(stuck)?;
        sent.map_err(|_| Stuck(Duration::ZERO))?;
        let answer = timeout(self.timeout, answered).await.map_err(stuck)?;
        answer.map_err(|_| Stuck(Duration::ZERO))
    }
}

#[cfg(test)]
mod tests;
