//! The pages of the HTTP server: `/healthz`, `/readyz` and `/metrics` for every client, and all for
//! the command line.

use std::io;
use std::net::SocketAddr;

use daemonkit::FLATLAND_POLICY;
use daemonkit::http::{self, Access, HttpPages, HttpServer, PageResponse};
use daemonkit::query::{QueryClient, Stuck};
use policy::rules::PodName;

use crate::daemon::answers::{ExplainRequest, PodReference, PolicyQuery};
use crate::metrics;

/// A page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PolicyPage {
    Health,
    Readiness,
    Metrics,
    Status,
    Rules,
    Explain,
}

/// Makes all pages.
struct PolicyPages {
    queries: QueryClient<PolicyQuery>,
    server: HttpServer,
}

/// Starts the HTTP server with these pages.
pub(crate) fn serve(
    queries: QueryClient<PolicyQuery>,
    listen: Option<SocketAddr>,
) -> io::Result<()> {
    http::start(FLATLAND_POLICY, listen, |server| PolicyPages {
        queries,
        server,
    })
}

impl HttpPages for PolicyPages {
    type Page = PolicyPage;

    const ALL: &'static [(&'static str, PolicyPage, Access)] = &[
        ("/healthz", PolicyPage::Health, Access::Public),
        ("/readyz", PolicyPage::Readiness, Access::Public),
        ("/metrics", PolicyPage::Metrics, Access::Public),
        ("/status", PolicyPage::Status, Access::Root),
        ("/rules", PolicyPage::Rules, Access::Root),
        ("/explain", PolicyPage::Explain, Access::Root),
    ];

    async fn page(&self, page: PolicyPage, query: &str) -> Result<PageResponse, Stuck> {
        let queries = &self.queries;
        Ok(match page {
            PolicyPage::Health => {
                queries.query(PolicyQuery::Ping).await?;
                http::ok()
            }
            PolicyPage::Readiness => {
                http::readiness(&queries.query(PolicyQuery::Status).await?.missing)
            }
            PolicyPage::Metrics => {
                http::metrics(metrics::render(&queries.query(PolicyQuery::Status).await?))
            }
            PolicyPage::Status => {
                let mut status = queries.query(PolicyQuery::Status).await?;
                status.troubles.extend(self.server.crowded());
                http::json(&status)
            }
            PolicyPage::Rules => http::json(&queries.query(PolicyQuery::Rules).await?),
            PolicyPage::Explain => match parse(query) {
                Err(why) => http::refused(&why),
                Ok(request) => {
                    let explain = |sender| PolicyQuery::Explain(request, sender);
                    match queries.query(explain).await? {
                        Ok(answer) => http::json(&answer),
                        Err(why) => http::refused(&why),
                    }
                }
            },
        })
    }
}

/// Reads `from=NAMESPACE/NAME&to=NAMESPACE/NAME&port=5432/tcp`.
fn parse(query: &str) -> Result<ExplainRequest, String> {
    let value = |key: &str| {
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        let found = pairs.find(|(name, _)| *name == key);
        found
            .map(|(_, value)| value)
            .ok_or_else(|| format!("{key} is missing"))
    };
    let pod = |key: &str| {
        let text = value(key)?;
        if let Ok(address) = text.parse() {
            return Ok(PodReference::Address(address));
        }
        let (namespace, name) = text
            .split_once('/')
            .ok_or_else(|| format!("{text:?} is no pod: write NAMESPACE/NAME or an address"))?;
        Ok::<_, String>(PodReference::Name(PodName::new(namespace, name)))
    };
    Ok(ExplainRequest {
        source: pod("from")?,
        destination: pod("to")?,
        port: value("port")?.parse()?,
    })
}

#[cfg(test)]
mod tests;
