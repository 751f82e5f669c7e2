//! Says on the Node object what state the node's pod network is in, for schedulers, autoscalers and
//! people who ask `kubectl describe node`: a condition `FlatlandReady`, and Events on what an
//! operator has to do.
//!
//! It asks the event loop at intervals, as the HTTP pages do, and writes only what changed and
//! lasted.

mod condition;
mod events;
pub(crate) mod report;

use std::time::Instant;

use daemonkit::OnChange;
use daemonkit::query::QueryClient;
use kubernetes::{ApiClient, Error, PatchType};
use serde::de::IgnoredAny;
use serde_json::Value;
use tokio::time::sleep;
use tracing::{info, warn};
use wire::clock::unix_seconds;
use wire::conf::IpamConfig;
use wire::node::NodeName;

use crate::node_report::condition::{Damper, ReadyCondition};
use crate::node_report::events::EventLog;
use crate::node_report::report::NodeReport;
use crate::status::query::Query;
use crate::timeouts::{NODE_REPORT_INTERVAL, NODE_REPORT_RETRY_BACKOFF};

/// Reports as long as the daemon runs.
pub(crate) struct NodeReporter {
    client: ApiClient,
    node: NodeName,
    queries: QueryClient<Query>,
    /// The condition that the Node has; `None` if that is not known.
    written: Option<ReadyCondition>,
    damper: Damper,
    events: EventLog,
    failures: u32,
    failure: OnChange,
}

impl NodeReporter {
    /// Starts to report on `node`, if `conf` says that there is a Node object.
    pub(crate) fn start(conf: &IpamConfig, node: &NodeName, queries: QueryClient<Query>) {
        let Some(section) = &conf.kubernetes else {
            return;
        };
        // The watch on the Nodes fails likewise, and says why.
        let Ok(client) = ApiClient::in_cluster(section.api_server.as_deref()) else {
            return;
        };
        let reporter = Self {
            client,
            node: node.clone(),
            queries,
            written: None,
            damper: Damper::default(),
            events: EventLog::default(),
            failures: 0,
            failure: OnChange::default(),
        };
        tokio::spawn(reporter.run());
    }

    /// Never ends.
    async fn run(mut self) {
        loop {
            sleep(NODE_REPORT_INTERVAL).await;
            // A loop that hangs is found by the probe of the container.
            let Ok(report) = self.queries.query(Query::NodeReport).await else {
                continue;
            };
            if !report.has_node {
                // The next one may be another object.
                self.written = None;
                continue;
            }
            match self.write(&report).await {
                Ok(()) => {
                    self.failures = 0;
                    if self.failure.clear() {
                        info!(node = %self.node, "the condition of Node {} can be written again", self.node);
                    }
                }
                Err(error) => {
                    self.failures += 1;
                    // Perhaps the Node is another object now.
                    self.written = None;
                    self.log(&error);
                    let pause = NODE_REPORT_RETRY_BACKOFF.pause(self.failures);
                    sleep(pause + error.wanted_pause()).await;
                }
            }
        }
    }

    async fn write(&mut self, report: &NodeReport) -> Result<(), Error> {
        let now = Instant::now();
        let condition = match self.damper.settle(report, now) {
            Some(condition) => self.write_condition(condition).await,
            None => Ok(()),
        };
        if let Err(error) = &condition
            && !error.wanted_pause().is_zero()
        {
            return condition;
        }
        // Also where the condition may not be written.
        for event in self.events.due(&self.node, &report.troubles, now) {
            self.write_event(&event).await?;
            self.events.written(&event, now);
        }
        condition
    }

    async fn write_condition(&mut self, condition: ReadyCondition) -> Result<(), Error> {
        if self.written.as_ref() == Some(&condition) {
            return Ok(());
        }
        let object = format!("/api/v1/nodes/{}", self.node);
        let node: Value = self.client.get(&object).await?;
        let found = ReadyCondition::find(&node);
        if found.as_ref().map(|(found, _)| found) != Some(&condition) {
            let change = condition.patch(found.as_ref(), unix_seconds());
            let status = format!("{object}/status");
            let body = change.to_string().into_bytes();
            let _: IgnoredAny = self
                .client
                .patch(&status, PatchType::StrategicMerge, body)
                .await?;
            let (node, value, message) = (&self.node, condition.status(), &condition.message);
            info!(%node, "condition FlatlandReady of Node {node} is now {value}: {message}");
        }
        self.written = Some(condition);
        Ok(())
    }

    /// Creates the Event, or brings the one of the same name up to date.
    async fn write_event(&self, event: &events::NodeEvent) -> Result<(), Error> {
        let body = event.create(unix_seconds()).to_string().into_bytes();
        match self.client.create(events::COLLECTION, body).await {
            Err(Error::Refused { code: 409, .. }) => {}
            created => return created,
        }
        let path = format!("{}/{}", events::COLLECTION, event.name);
        let send = |change: Value| {
            let body = change.to_string().into_bytes();
            self.client.patch::<Value>(&path, PatchType::Merge, body)
        };
        // routed may not read Events, but the reply to a change has the whole one.
        let there = send(event.repeat(unix_seconds())).await?;
        send(events::count_after(&there)).await.map(drop)
    }

    fn log(&mut self, error: &Error) {
        // Out of reach is said by the watch on the Nodes.
        if matches!(error, Error::Unreachable { .. }) {
            return;
        }
        let (node, advice) = (&self.node, error.advice());
        let text =
            format!("cannot write the condition or Events of Node {node}: {error}; {advice}");
        if self.failure.changed(&text) {
            warn!(%node, %error, "{text}");
        }
    }
}
