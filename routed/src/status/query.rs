//! Questions to the loop. Who asks waits for the loop to turn: that it answers shows that it does.

use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::status::{NodeRow, RouteRow, Status};

/// How long the loop may take. It answers within milliseconds, unless the kernel, a disk or
/// another program keeps it.
const PATIENCE: Duration = Duration::from_secs(5);

/// As many questions wait for an answer.
const MOST: usize = 16;

/// A question, and where its answer goes.
#[derive(Debug)]
pub(crate) enum Query {
    /// Whether the loop turns.
    Ping(oneshot::Sender<()>),
    /// How all is.
    Status(oneshot::Sender<Status>),
    /// All nodes.
    Nodes(oneshot::Sender<Vec<NodeRow>>),
    /// All routes as they should be.
    Routes(oneshot::Sender<Vec<RouteRow>>),
}

/// The loop does not turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the loop of routed has not turned for {} s: it waits for the kernel, a disk or another \
     program, or hangs; routes and pods stay as they are. Its log says what it did last; restart \
     it if this lasts",
    .0.as_secs()
)]
pub(crate) struct Stuck(Duration);

/// Puts questions.
#[derive(Debug, Clone)]
pub(crate) struct QueryClient {
    queries: mpsc::Sender<Query>,
    timeout: Duration,
}

/// Both ends.
pub(crate) fn channel() -> (QueryClient, mpsc::Receiver<Query>) {
    let (questions, receiver) = mpsc::channel(MOST);
    let asker = QueryClient {
        queries: questions,
        timeout: PATIENCE,
    };
    (asker, receiver)
}

impl QueryClient {
    /// Puts the question that `about` makes and waits for the answer.
    pub(crate) async fn query<T>(
        &self,
        about: fn(oneshot::Sender<T>) -> Query,
    ) -> Result<T, Stuck> {
        let began = Instant::now();
        let stuck = |_| Stuck(began.elapsed());
        let (answer, answered) = oneshot::channel();
        let question = self.queries.send(about(answer));
        let sent = timeout(self.timeout, question).await.map_err(stuck)?;
        sent.map_err(|_| Stuck(Duration::ZERO))?;
        let answer = timeout(self.timeout, answered).await.map_err(stuck)?;
        answer.map_err(|_| Stuck(Duration::ZERO))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_loop_that_does_not_turn_is_not_waited_for_forever() {
        let (mut asker, mut questions) = channel();
        let (answer, turned) = tokio::join!(asker.query(Query::Ping), async {
            let Some(Query::Ping(answer)) = questions.recv().await else {
                panic!("no question");
            };
            answer.send(())
        });
        assert_eq!((answer, turned), (Ok(()), Ok(())));

        asker.timeout = Duration::from_millis(10);
        let stuck = asker.query(Query::Ping).await.unwrap_err();
        assert!(stuck.to_string().contains("has not turned"), "{stuck}");
        drop(questions);
        assert!(asker.query(Query::Ping).await.is_err());
    }
}
