//! Metrics in the text format of Prometheus (`OpenMetrics` 1.0), from [`Status`] and [`Timings`].
//! No label takes a number of values that grows with the cluster.

use std::fmt;
use std::sync::atomic::AtomicU64;

use daemonkit::metrics::{Labels, build, flag, gauge, gauges, number, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use crate::status::Status;
use crate::status::health::Timings;

/// All metrics.
pub(crate) fn render(status: &Status, timings: &Timings) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix("flatland");
    add_routes(&mut registry, status);
    add_timings(&mut registry, timings);
    add_claims_without_route(&mut registry, status);
    add_registry(&mut registry, status);
    add_node(&mut registry, status);
    text(&registry)
}

fn add_routes(registry: &mut Registry, status: &Status) {
    let routes = &status.routes;
    gauges(
        registry,
        "routes",
        "Routes that should be in the kernel, of ours that are, and that are not as they should",
        "state",
        [
            ("desired", number(routes.desired)),
            ("actual", number(routes.actual)),
            ("missing", number(routes.missing)),
            ("held", number(status.registry.held.len())),
        ],
    );
    let changes = Family::<Labels, Counter>::default();
    for change in ["added", "moved", "repaired", "withdrawn", "pruned"] {
        let count = routes.changes.get(change).copied().unwrap_or_default();
        let labels = [("change", change.to_owned())];
        changes.get_or_create(&labels).inc_by(count);
    }
    let help =
        "What became of routes; repaired are those that another program had removed or changed";
    registry.register("route_changes", help, changes);
    let conflicts = status.conflicts;
    gauges(
        registry,
        "conflicts",
        "Routes of others in the place of ours, and claims of others to what this node owns",
        "kind",
        [
            ("route", number(conflicts.routes)),
            ("claim", number(conflicts.claims)),
        ],
    );
}

fn add_timings(registry: &mut Registry, timings: &Timings) {
    registry.register_with_unit(
        "reconcile",
        "How long it takes to compare the kernel's routes and to put them right",
        Unit::Seconds,
        timings.passes.clone(),
    );
    registry.register(
        "reconcile_failures",
        "How often the kernel's routes could not be compared",
        timings.failed.clone(),
    );
}

fn add_policy(registry: &mut Registry, status: &Status) {
    if let Some(policy) = &status.policy {
        let running = flag(policy.running == Some(true));
        let help = "Whether flatland-policy, which enforces NetworkPolicies, runs";
        gauge(registry, "policy_running", help, running);
    }
}

fn add_claims_without_route(registry: &mut Registry, status: &Status) {
    let reasons = [
        "invalid",
        "conflict",
        "unknown-peer",
        "not-announced",
        "no-address",
        "invalid-next-hop",
        "unreachable",
    ];
    let claims = &status.claims_without_route;
    let count = |reason| claims.get(reason).copied().unwrap_or_default();
    gauges(
        registry,
        "claims_without_route",
        "Claims of peers that get no route here, by reason",
        "reason",
        reasons.map(|reason| (reason, number(count(reason)))),
    );
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a metric is a floating-point number; revisions stay far below 2^53"
)]
fn add_registry(registry: &mut Registry, status: &Status) {
    let view = &status.registry;
    let connected = flag(view.connected);
    let believed = flag(view.distrust.is_none());
    for (name, help, value) in [
        ("connected", "Whether the registry is connected", connected),
        (
            "believed",
            "Whether routes are withdrawn on the registry's word",
            believed,
        ),
        (
            "revision",
            "The last revision of the registry that was seen",
            view.revision as f64,
        ),
        (
            "ignored_records",
            "Records in the registry that are ignored",
            number(view.ignored),
        ),
    ] {
        gauge(registry, &format!("registry_{name}"), help, value);
    }
    let lag = Gauge::<f64, AtomicU64>::default();
    lag.set(view.lag_seconds);
    registry.register_with_unit(
        "registry_lag",
        "How old what is known of the registry may be: time since the connection was lost",
        Unit::Seconds,
        lag,
    );
    gauges(
        registry,
        "nodes",
        "Nodes of the network, by whether their routed shows signs of life",
        "state",
        [
            ("present", number(status.nodes.present)),
            ("absent", number(status.nodes.absent)),
        ],
    );
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a metric is a floating-point number; counts of IPv6 addresses may be rounded"
)]
fn add_node(registry: &mut Registry, status: &Status) {
    build(registry, status.version.clone());
    let ready = flag(status.missing.is_empty());
    let present = flag(status.registry.present);
    let troubles = number(status.troubles.len());
    let subnets = number(status.subnets.len());
    for (name, help, value) in [
        ("ready", "Whether pods can be served", ready),
        (
            "present",
            "Whether peers can see that this node is alive",
            present,
        ),
        (
            "troubles",
            "How many problems need attention; routed status lists them",
            troubles,
        ),
        ("subnets", "Subnets that this node owns", subnets),
    ] {
        gauge(registry, name, help, value);
    }
    add_policy(registry, status);
    let family = Family::<[(&'static str, String); 2], Gauge<f64, AtomicU64>>::default();
    for (version, usage) in &status.pods {
        for (state, count) in [
            ("used", usage.used as f64),
            ("cooling", usage.cooling as f64),
            ("free", usage.free as f64),
        ] {
            let labels = [("family", version.clone()), ("state", state.to_owned())];
            family.get_or_create(&labels).set(count);
        }
    }
    let help = "Addresses of this node's subnets: held by pods, resting since a pod gave them \
                back, and free";
    registry.register("addresses", help, family);
}
