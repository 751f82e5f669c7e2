//! The fields of log lines about routes and claims, in the JSON format.

use std::io;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tracing::Level;

use crate::reconcile::tests::*;

#[derive(Clone, Default)]
struct CapturedLog(Arc<Mutex<Vec<u8>>>);

impl io::Write for CapturedLog {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Runs the work twice: a log macro that another test reaches first, at the moment that a subscriber
/// is installed, may be taken for disabled until the cache is rebuilt (`tracing_core::callsite`).
fn logged(work: impl Fn()) -> Vec<Value> {
    work();
    let buffer = CapturedLog::default();
    let writer = buffer.clone();
    let log = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_max_level(Level::DEBUG)
        .with_writer(move || writer.clone());
    tracing::subscriber::with_default(log.finish(), || {
        tracing::callsite::rebuild_interest_cache();
        work();
    });
    let text = String::from_utf8(buffer.0.lock().unwrap().clone()).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    lines.collect()
}

#[test]
fn lines_about_routes_and_claims_have_fields() {
    let lines = logged(|| {
        let (kernel, mut reconciler) = start(&[]);
        kernel.add_route(Route {
            protocol: 4,
            via: Some([192, 168, 1, 9].into()),
            ..route_to_peer(3)
        });
        let mut view = registry(10, &[2, 3, 4]);
        view.nodes.insert(node("n4"), record("172.16.0.4"));
        reconciler.reset(view);
        pass(&mut reconciler);
    });
    for (level, expected) in [
        ("INFO", &["added", "n2", "10.244.2.0/24", "dev eth0"][..]),
        ("ERROR", &["failed", "n3", "10.244.3.0/24", "conflict"]),
        ("WARN", &["refused", "n4", "10.244.4.0/24", "unreachable"]),
        ("DEBUG", &["", "n2", "10.244.2.0/24", "via 192.168.1.2"]),
        ("DEBUG", &["", "n4", "10.244.4.0/24", "unreachable"]),
    ] {
        let is_expected = |line: &&Value| {
            let text = |name: &str| line[name].as_str().unwrap_or_default();
            let cause = format!("{} {}", text("route"), text("error"));
            line["level"] == level
                && [text("kind"), text("peer"), text("subnet")] == expected[..3]
                && cause.contains(expected[3])
        };
        let found = lines.iter().filter(is_expected).count();
        assert_eq!(found, 1, "{level} {expected:?}: {lines:#?}");
    }
}
