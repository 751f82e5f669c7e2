use std::sync::{Arc, Mutex};

use serde_json::Value;
use tracing::subscriber::with_default;

use super::*;

/// A log in memory.
#[derive(Clone, Default)]
struct RunLog(Arc<Mutex<Vec<u8>>>);

impl io::Write for RunLog {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Runs the work twice: a log macro that another test reaches first, at the moment that a
/// subscriber is installed, may be taken for disabled until the cache is rebuilt.
fn logged(format: LogFormat, work: impl Fn()) -> String {
    work();
    let buffer = RunLog::default();
    let writer = buffer.clone();
    let filter = EnvFilter::new("info");
    let subscriber = subscriber(format, filter, move || writer.clone());
    with_default(subscriber, || {
        tracing::callsite::rebuild_interest_cache();
        work();
    });
    let bytes = buffer.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

fn work() {
    let none: Option<&str> = None;
    tracing::warn!(
        kind = "absent",
        node = "n2",
        peer = none,
        "node n2 is absent"
    );
    tracing::error!(
        kind = "failed",
        peer = "n2",
        subnet = "10.244.2.0/24",
        route = "via 192.168.1.2 dev eth0",
        error = "no such device",
        "route refused"
    );
    tracing::info!(node = %"n1", other = 7, "node n1 is ready");
}

#[test]
fn text_format_prints_the_sentence_without_its_fields() {
    let log = logged(LogFormat::Text, work);
    let ends = [
        "node n2 is absent",
        "route refused",
        "node n1 is ready other=7",
    ];
    let mut lines: Vec<_> = log.lines().collect();
    lines.sort_by_key(|line| ends.iter().position(|end| line.ends_with(end)));
    assert_eq!(lines.len(), ends.len(), "{log}");
    for (line, end) in lines.iter().zip(ends) {
        assert!(line.ends_with(&format!(" {end}")), "{line}");
        assert!(!line.contains("kind") && !line.contains("node="), "{line}");
    }
}

#[test]
fn json_format_has_the_fields_flat() {
    let log = logged(LogFormat::Json, work);
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let field = |message: &str, field: &str| {
        let line = lines.iter().find(|line| line["message"] == message);
        line.unwrap().get(field).and_then(Value::as_str)
    };
    for (message, name, value) in [
        ("node n1 is ready", "node", Some("n1")),
        ("node n1 is ready", "level", Some("INFO")),
        ("node n2 is absent", "node", Some("n2")),
        ("node n2 is absent", "kind", Some("absent")),
        ("node n2 is absent", "peer", None),
        ("route refused", "peer", Some("n2")),
        ("route refused", "subnet", Some("10.244.2.0/24")),
        ("route refused", "route", Some("via 192.168.1.2 dev eth0")),
        ("route refused", "error", Some("no such device")),
    ] {
        assert_eq!(field(message, name), value, "{message}: {name}");
    }
}
