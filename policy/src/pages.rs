//! The pages of the HTTP server: `/healthz`, `/readyz` and `/metrics` for every client, and all for
//! the command line.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::AtomicU64;

use daemonkit::http::{self, Access, HttpPages, HttpServer, PageResponse};
use daemonkit::metrics::{build, flag, gauge, number, text};
use daemonkit::query::{QueryClient, Stuck};
use policy::api::L4Protocol;
use policy::rules::PodName;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::daemon::answers::{ExplainRequest, Query};
use crate::identity::FLATLAND_POLICY;
use crate::status::Status;

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
    queries: QueryClient<Query>,
    server: HttpServer,
}

/// Starts the HTTP server with these pages.
pub(crate) fn serve(queries: QueryClient<Query>, listen: Option<SocketAddr>) -> io::Result<()> {
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
                queries.query(Query::Ping).await?;
                http::ok()
            }
            PolicyPage::Readiness => http::readiness(&queries.query(Query::Status).await?.missing),
            PolicyPage::Metrics => http::metrics(render(&queries.query(Query::Status).await?)),
            PolicyPage::Status => {
                let mut status = queries.query(Query::Status).await?;
                status.troubles.extend(self.server.crowded());
                http::json(&status)
            }
            PolicyPage::Rules => http::json(&queries.query(Query::Rules).await?),
            PolicyPage::Explain => match parse(query) {
                Err(why) => http::refused(&why),
                Ok(request) => {
                    let explain = |sender| Query::Explain(request, sender);
                    match queries.query(explain).await? {
                        Ok(answer) => http::json(&answer),
                        Err(why) => http::refused(&why),
                    }
                }
            },
        })
    }
}

/// Reads `from=NAMESPACE/NAME&to=NAMESPACE/NAME&protocol=tcp&port=5432`.
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
        let (namespace, name) = text
            .split_once('/')
            .ok_or_else(|| format!("{text:?} is no pod: write NAMESPACE/NAME"))?;
        Ok::<_, String>(PodName::new(namespace, name))
    };
    let protocol = value("protocol")?;
    let port = value("port")?;
    Ok(ExplainRequest {
        source: pod("from")?,
        destination: pod("to")?,
        protocol: L4Protocol::parse(&protocol.to_uppercase())
            .ok_or_else(|| format!("{protocol:?} is none of tcp, udp and sctp"))?,
        port: port.parse().map_err(|_| format!("{port:?} is no port"))?,
    })
}

/// All metrics, in the text format of Prometheus.
fn render(status: &Status) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix("flatland_policy");
    build(&mut registry, status.version.clone());
    let ready = flag(status.missing.is_empty());
    gauge(
        &mut registry,
        "ready",
        "Whether the rules are those of the API",
        ready,
    );
    for (name, help, label, values) in [
        (
            "pods",
            "Pods of this node, by how they are treated",
            "state",
            &status.pods,
        ),
        (
            "rules",
            "What the pods of this node have in the packet filter",
            "kind",
            &status.rules,
        ),
    ] {
        let family = Family::<[(&str, String); 1], Gauge<f64, AtomicU64>>::default();
        for (kind, count) in values {
            family
                .get_or_create(&[(label, kind.clone())])
                .set(number(*count));
        }
        registry.register(name, help, family);
    }
    let packets = Family::<[(&str, String); 3], Counter>::default();
    for count in &status.counts {
        let labels = [
            ("policy", count.policy.clone()),
            ("direction", count.direction.clone()),
            ("action", count.action.clone()),
        ];
        packets.get_or_create(&labels).inc_by(count.packets);
    }
    let help = "First packets of connections, by the policy that decided; all that it drops";
    registry.register("packets", help, packets);
    text(&registry)
}

#[cfg(test)]
mod tests;
