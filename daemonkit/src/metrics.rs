//! Metrics in the text format of Prometheus (`OpenMetrics` 1.0), made from a status when they are read.

use std::fmt;
use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

/// The media type of the `OpenMetrics` text format.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// One label, and its value.
pub type Labels = [(&'static str, String); 1];

/// The text of the metrics that are registered.
pub fn text(registry: &Registry) -> Result<String, fmt::Error> {
    let mut text = String::new();
    encode(&mut text, registry)?;
    Ok(text)
}

/// Registers the version that runs.
pub fn build(registry: &mut Registry, version: String) {
    let version = [("version", version)];
    registry.register("build", "The version that runs", Info::new(version));
}

/// Registers one value.
pub fn gauge(registry: &mut Registry, name: &str, help: &str, value: f64) {
    let gauge = Gauge::<f64, AtomicU64>::default();
    gauge.set(value);
    registry.register(name, help, gauge);
}

/// Registers values that differ in the value of a label.
pub fn gauges<const N: usize>(
    registry: &mut Registry,
    name: &str,
    help: &str,
    label: &'static str,
    values: [(&str, f64); N],
) {
    let family = Family::<Labels, Gauge<f64, AtomicU64>>::default();
    for (kind, value) in values {
        family.get_or_create(&[(label, kind.to_owned())]).set(value);
    }
    registry.register(name, help, family);
}

/// A count as a value.
#[expect(
    clippy::cast_precision_loss,
    reason = "a metric is a floating-point number; nothing here is counted beyond 2^53"
)]
pub fn number(count: usize) -> f64 {
    count as f64
}

/// 1 if it is so, otherwise 0.
pub fn flag(is: bool) -> f64 {
    f64::from(u8::from(is))
}
