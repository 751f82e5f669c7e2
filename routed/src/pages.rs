//! The pages of the HTTP server: `/healthz`, `/readyz` and `/metrics` for every client, and all for
//! the command line.

use std::io;
use std::net::SocketAddr;

use daemonkit::http::{self, Access, HttpPages, HttpServer, PageResponse};
use daemonkit::query::{QueryClient, Stuck};
use tokio::task::spawn_blocking;
use tracing::warn;
use wire::conf::IpamConfig;

use crate::addresses::ledger;
use crate::identity::ROUTED;
use crate::packet_paths;
use crate::status::health::Timings;
use crate::status::query::Query;
use crate::status::{NodeRow, Status, metrics};

/// Where the pages come from.
pub(crate) struct PageSources {
    /// The event loop.
    pub(crate) query_client: QueryClient<Query>,
    /// Durations and failures of its passes.
    pub(crate) timings: Timings,
    /// The configuration of the ledger of pod addresses.
    pub(crate) conf: IpamConfig,
}

/// A page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum HttpPage {
    Health,
    Readiness,
    Metrics,
    Status,
    Nodes,
    Routes,
}

/// Makes all pages.
struct RoutedPages {
    sources: PageSources,
    server: HttpServer,
}

/// Starts the HTTP server with these pages.
pub(crate) fn serve(sources: PageSources, listen: Option<SocketAddr>) -> io::Result<()> {
    http::start(ROUTED, listen, |server| RoutedPages { sources, server })
}

impl HttpPages for RoutedPages {
    type Page = HttpPage;

    const ALL: &'static [(&'static str, HttpPage, Access)] = &[
        ("/healthz", HttpPage::Health, Access::Public),
        ("/readyz", HttpPage::Readiness, Access::Public),
        ("/metrics", HttpPage::Metrics, Access::Public),
        ("/status", HttpPage::Status, Access::Root),
        ("/nodes", HttpPage::Nodes, Access::Root),
        ("/routes", HttpPage::Routes, Access::Root),
    ];

    async fn page(&self, page: HttpPage, _query: &str) -> Result<PageResponse, Stuck> {
        let queries = &self.sources.query_client;
        Ok(match page {
            HttpPage::Health => {
                queries.query(Query::Ping).await?;
                http::ok()
            }
            HttpPage::Readiness => http::readiness(&queries.query(Query::Status).await?.missing),
            HttpPage::Metrics => {
                let status = self.status().await?;
                http::metrics(metrics::render(&status, &self.sources.timings))
            }
            HttpPage::Status => {
                let mut status = self.status().await?;
                let peers = queries.query(Query::Nodes).await?;
                self.examine_packet_paths(&mut status, peers).await;
                http::json(&status)
            }
            HttpPage::Nodes => http::json(&queries.query(Query::Nodes).await?),
            HttpPage::Routes => http::json(&queries.query(Query::Routes).await?),
        })
    }
}

impl RoutedPages {
    /// The event loop's status, completed with the addresses and the state of the server.
    async fn status(&self) -> Result<Status, Stuck> {
        let mut status = self.sources.query_client.query(Query::Status).await?;
        match ledger::usage(&self.sources.conf, &status.subnets) {
            Ok(usage) => status.pods = ledger::by_family(&usage),
            Err(error) => warn!(%error, "cannot count the addresses of this node: {error}"),
        }
        status.http = self.server.state();
        let why = status.http.as_ref().and_then(|http| http.why.clone());
        status.troubles.extend(why);
        // No trouble: the node does what it should.
        status.remarks.extend(self.server.crowded());
        Ok(status)
    }

    /// Asks the kernel what it would do with packets of pods: beside the loop, and only for people who
    /// want the status, as it takes a listing of all routes.
    async fn examine_packet_paths(&self, status: &mut Status, peers: Vec<NodeRow>) {
        let pod_cidrs = self.sources.conf.pod_cidrs.clone();
        let peers: Vec<_> = peers.into_iter().map(packet_paths::Peer::from).collect();
        let queried = spawn_blocking(move || packet_paths::for_status(&pod_cidrs, &peers)).await;
        match queried {
            Ok(examined) => {
                status.troubles.extend(examined.troubles);
                status.remarks.extend(examined.remarks);
            }
            Err(why) => warn!("cannot ask the kernel what it does with packets: {why}"),
        }
    }
}

#[cfg(test)]
mod tests;
