//! The metrics of the daemon, from its status.

use std::fmt;
use std::sync::atomic::AtomicU64;

use daemonkit::metrics::{build, flag, gauge, number, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::status::EnforcementStatus;

/// All metrics, in the text format of Prometheus.
pub(crate) fn render(status: &EnforcementStatus) -> Result<String, fmt::Error> {
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
