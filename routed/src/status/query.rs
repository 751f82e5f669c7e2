//! Queries to the event loop.

use tokio::sync::oneshot;

use crate::node_report::report::NodeReport;
use crate::status::{NodeRow, RouteRow, Status};

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
