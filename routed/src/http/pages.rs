//! The pages of the HTTP server, and who may read which.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Response, StatusCode};
use serde::Serialize;
use tokio::task::spawn_blocking;
use tracing::warn;
use wire::conf::IpamConfig;

use crate::addresses::ledger;
use crate::http::connections::Connections;
use crate::status::health::Timings;
use crate::status::query::{Query, QueryClient, Stuck};
use crate::status::{Http, NodeRow, Status, metrics};
use crate::{packet_paths, termination};

const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";

/// Where the pages come from.
pub(crate) struct PageSources {
    /// The event loop.
    pub(crate) query_client: QueryClient,
    /// Durations and failures of its passes.
    pub(crate) timings: Timings,
    /// The configuration of the ledger of pod addresses.
    pub(crate) conf: IpamConfig,
    /// The TCP address, if there is to be one.
    pub(crate) listen: Option<SocketAddr>,
}

/// The rights of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Any client of the TCP address: may read about this node only.
    Public,
    /// Root of this node: may read everything.
    Root,
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

impl HttpPage {
    const ALL: [(&str, Self, Access); 6] = [
        ("/healthz", Self::Health, Access::Public),
        ("/readyz", Self::Readiness, Access::Public),
        ("/metrics", Self::Metrics, Access::Public),
        ("/status", Self::Status, Access::Root),
        ("/nodes", Self::Nodes, Access::Root),
        ("/routes", Self::Routes, Access::Root),
    ];

    /// The page of `path`, or the status and the text of the error.
    fn find(method: &Method, path: &str, access: Access) -> Result<Self, (StatusCode, String)> {
        let is_allowed = |needs: Access| needs == Access::Public || access == Access::Root;
        let pages = || Self::ALL.iter().filter(|(_, _, needs)| is_allowed(*needs));
        let Some((_, page, _)) = pages().find(|(known, _, _)| *known == path) else {
            let paths: Vec<_> = pages().map(|(path, _, _)| *path).collect();
            let text = format!("no such page; the pages are {}", paths.join(", "));
            return Err((StatusCode::NOT_FOUND, text));
        };
        if *method == Method::GET || *method == Method::HEAD {
            return Ok(*page);
        }
        let text = format!("{path} is read-only: use GET or HEAD");
        Err((StatusCode::METHOD_NOT_ALLOWED, text))
    }
}

/// Answers all requests.
pub(super) struct Answerer {
    query_client: QueryClient,
    timings: Timings,
    conf: IpamConfig,
    http: Arc<Mutex<Option<Http>>>,
    connections: Connections,
}

type PageResponse = Response<Full<Bytes>>;

impl Answerer {
    /// `http` is the state of the server on the TCP address, `connections` are those to it.
    pub(super) fn new(
        sources: PageSources,
        http: Arc<Mutex<Option<Http>>>,
        connections: Connections,
    ) -> Self {
        Self {
            query_client: sources.query_client,
            timings: sources.timings,
            conf: sources.conf,
            http,
            connections,
        }
    }

    /// Answers one request.
    pub(super) async fn answer(&self, method: &Method, path: &str, access: Access) -> PageResponse {
        match HttpPage::find(method, path, access) {
            Ok(page) => self.page(page).await.unwrap_or_else(|stuck| {
                response(StatusCode::SERVICE_UNAVAILABLE, TEXT, format!("{stuck}\n"))
            }),
            Err((status, text)) => response(status, TEXT, text + "\n"),
        }
    }

    async fn page(&self, page: HttpPage) -> Result<PageResponse, Stuck> {
        let ok = StatusCode::OK;
        Ok(match page {
            HttpPage::Health => {
                self.query_client.query(Query::Ping).await?;
                response(ok, TEXT, "ok\n".to_owned())
            }
            HttpPage::Readiness => readiness(&self.query_client.query(Query::Status).await?),
            HttpPage::Metrics => match metrics::render(&self.status().await?, &self.timings) {
                Ok(text) => response(ok, metrics::CONTENT_TYPE, text),
                Err(error) => response(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    TEXT,
                    format!("metrics cannot be written: {error}\n"),
                ),
            },
            HttpPage::Status => {
                let mut status = self.status().await?;
                let peers = self.query_client.query(Query::Nodes).await?;
                self.examine_packet_paths(&mut status, peers).await;
                json(&status)
            }
            HttpPage::Nodes => json(&self.query_client.query(Query::Nodes).await?),
            HttpPage::Routes => json(&self.query_client.query(Query::Routes).await?),
        })
    }

    /// The event loop's status, completed with the addresses and the state of the server.
    async fn status(&self) -> Result<Status, Stuck> {
        let mut status = self.query_client.query(Query::Status).await?;
        match ledger::usage(&self.conf, &status.subnets) {
            Ok(usage) => status.pods = ledger::by_family(&usage),
            Err(error) => warn!(%error, "cannot count the addresses of this node: {error}"),
        }
        let http = self.http.lock().unwrap_or_else(PoisonError::into_inner);
        status.http.clone_from(&http);
        drop(http);
        let why = status.http.as_ref().and_then(|http| http.why.clone());
        status.troubles.extend(why);
        let address = status.http.as_ref().map(|http| http.address);
        let crowded = self.connections.crowded_by().zip(address);
        // No trouble: the node does what it should.
        status.remarks.extend(crowded.map(|(client, address)| {
            format!(
                "programs at {client} keep too many connections to {address} open; the oldest are \
                 closed, so that probes are answered. ss -tnp shows the programs: stop them"
            )
        }));
        Ok(status)
    }

    /// Asks the kernel what it would do with packets of pods: beside the loop, and only for people who
    /// want the status, as it takes a listing of all routes.
    async fn examine_packet_paths(&self, status: &mut Status, peers: Vec<NodeRow>) {
        let pod_cidrs = self.conf.pod_cidrs.clone();
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

fn readiness(status: &Status) -> PageResponse {
    if status.missing.is_empty() {
        termination::write("");
        return response(StatusCode::OK, TEXT, "ok\n".to_owned());
    }
    let text = status.missing.join("\n") + "\n";
    // For `kubectl describe pod`, if the container ends before it is ready.
    termination::write(&text);
    response(StatusCode::SERVICE_UNAVAILABLE, TEXT, text)
}

fn json(value: &impl Serialize) -> PageResponse {
    match serde_json::to_vec(value) {
        Ok(text) => response(StatusCode::OK, JSON, text),
        Err(error) => response(
            StatusCode::INTERNAL_SERVER_ERROR,
            TEXT,
            format!("cannot be written as JSON: {error}\n"),
        ),
    }
}

fn response(
    status: StatusCode,
    content_type: &'static str,
    body: impl Into<Bytes>,
) -> PageResponse {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if status == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    }
    response
}

#[cfg(test)]
mod tests;
