//! The HTTP server of `routed`: /healthz, /readyz and /metrics.

#![allow(clippy::float_cmp, reason = "what is compared are whole numbers")]

use std::collections::{BTreeMap, BTreeSet};

use lab::probe::LISTENING;
use lab::{DEADLINE, Families, Lab, Node, Result, wait_until};
use nix::sys::signal::Signal;

/// Sends a handwritten request, as nodes need no HTTP client; returns the status and the whole
/// answer.
fn http(node: &Node, request: &str) -> Result<(u16, String)> {
    let script = r#"exec 3<>/dev/tcp/127.0.0.1/9470 && printf "$0" >&3 && cat <&3"#;
    let request = format!("{request} HTTP/1.1\\r\\nHost: n\\r\\nConnection: close\\r\\n\\r\\n");
    let answer = node.run(&["bash", "-c", script, &request])?;
    let status = answer.split(' ').nth(1).and_then(|code| code.parse().ok());
    Ok((status.unwrap_or_default(), answer))
}

fn get(node: &Node, path: &str) -> Result<(u16, String)> {
    let (status, answer) = http(node, &format!("GET {path}"))?;
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    Ok((status, body.to_owned()))
}

/// The samples of `/metrics`, by name and labels. Panics at the first line that is not valid
/// `OpenMetrics`.
fn metrics(node: &Node) -> Result<BTreeMap<String, f64>> {
    let (status, text) = get(node, "/metrics")?;
    assert_eq!(status, 200, "{text}");
    Ok(parse(&text))
}

/// <https://prometheus.io/docs/specs/om/open_metrics_spec/>, as far as it is used here.
fn parse(text: &str) -> BTreeMap<String, f64> {
    let mut samples = BTreeMap::new();
    let mut kinds: BTreeMap<&str, &str> = BTreeMap::new();
    let mut helped = BTreeSet::new();
    let body = text.strip_suffix("# EOF\n").expect("EOF at the end");
    for line in body.lines() {
        if let Some(meta) = line.strip_prefix("# ") {
            let mut words = meta.splitn(3, ' ');
            let (what, name, rest) = (words.next(), words.next(), words.next());
            let (name, rest) = (name.expect(line), rest.expect(line));
            match what {
                Some("HELP") => assert!(helped.insert(name), "HELP twice: {line}"),
                Some("TYPE") => assert!(kinds.insert(name, rest).is_none(), "TYPE twice: {line}"),
                Some("UNIT") => assert!(name.ends_with(&format!("_{rest}")), "{line}"),
                _ => panic!("what is this: {line}"),
            }
            continue;
        }
        let (series, value) = line.rsplit_once(' ').expect(line);
        let value = value.parse::<f64>().expect(line);
        let name = series.split('{').next().unwrap_or_default();
        let base = ["_total", "_bucket", "_sum", "_count", "_info"]
            .iter()
            .find_map(|end| {
                name.strip_suffix(end)
                    .filter(|base| kinds.contains_key(base))
            })
            .unwrap_or(name);
        let kind = kinds
            .get(base)
            .unwrap_or_else(|| panic!("no TYPE before: {line}"));
        assert!(helped.contains(base), "no HELP before: {line}");
        let is_as_its_kind = match *kind {
            "counter" => name.ends_with("_total") && value >= 0.0,
            "gauge" => name == base,
            "info" => name.ends_with("_info") && value == 1.0,
            "histogram" => name != base,
            _ => false,
        };
        assert!(is_as_its_kind, "{kind}: {line}");
        if let Some(labels) = series
            .strip_prefix(name)
            .filter(|labels| !labels.is_empty())
        {
            let inner = labels
                .strip_prefix('{')
                .and_then(|rest| rest.strip_suffix('}'));
            for label in inner.expect(line).split(',') {
                let (key, value) = label.split_once('=').expect(line);
                let is_key = |c: char| c.is_ascii_lowercase() || c == '_';
                assert!(key.chars().all(is_key), "{line}");
                assert!(value.starts_with('"') && value.ends_with('"'), "{line}");
            }
        }
        assert!(
            samples.insert(series.to_owned(), value).is_none(),
            "twice: {line}"
        );
    }
    samples
}

#[test]
fn health_readiness_and_metrics_are_served_on_loopback() -> Result {
    let lab = Lab::builder().nodes(2).families(Families::V4).start()?;
    lab.start_routed()?;
    lab.wait_routes()?;
    let [one, two] = [lab.node(1), lab.node(2)];

    assert_eq!(get(one, "/healthz")?, (200, "ok\n".to_owned()));
    assert_eq!(get(one, "/readyz")?, (200, "ok\n".to_owned()));
    assert_eq!(http(one, "HEAD /healthz")?.0, 200);
    let (status, answer) = http(one, "POST /healthz")?;
    assert_eq!(status, 405);
    assert!(
        answer.to_lowercase().contains("allow: get, head"),
        "{answer}"
    );
    // Information about the node must not be served to everyone who can reach the port.
    for path in ["/", "/status", "/nodes", "/routes"] {
        assert_eq!(get(one, path)?.0, 404, "{path}");
    }

    let pod = one.add_pod("a")?;
    let all = metrics(one)?;
    for (series, expected) in [
        ("flatland_ready", 1.0),
        ("flatland_registry_connected", 1.0),
        ("flatland_registry_lag_seconds", 0.0),
        (r#"flatland_routes{state="desired"}"#, 3.0),
        (r#"flatland_routes{state="actual"}"#, 3.0),
        (r#"flatland_routes{state="missing"}"#, 0.0),
        (r#"flatland_addresses{family="ipv4",state="used"}"#, 1.0),
        (r#"flatland_addresses{family="ipv4",state="free"}"#, 252.0),
        (r#"flatland_conflicts{kind="route"}"#, 0.0),
    ] {
        assert_eq!(all.get(series), Some(&expected), "{series} in {all:#?}");
    }
    assert!(all["flatland_registry_revision"] > 1.0);
    assert!(all["flatland_reconcile_seconds_count"] >= 1.0);
    let series = all.len();

    // The number of series is bounded: another node changes values and adds no series.
    let repaired = r#"flatland_route_changes_total{change="repaired"}"#;
    assert_eq!(all[repaired], 0.0);
    let hop = two.addresses()[0].to_string();
    let route = one.run(&["ip", "route", "show", "proto", "70", "via", &hop])?;
    one.run(&[
        "ip",
        "route",
        "del",
        route.split(' ').next().unwrap_or_default(),
    ])?;
    wait_until("repair in the metrics", DEADLINE, || {
        metrics(one).is_ok_and(|all| all[repaired] == 1.0)
    })?;
    pod.delete()?;
    let all = metrics(one)?;
    assert_eq!(all.len(), series);
    assert_eq!(
        all[r#"flatland_addresses{family="ipv4",state="cooling"}"#],
        1.0
    );
    Ok(())
}

#[test]
fn readyz_names_what_is_missing_and_ignores_later_outages() -> Result {
    let lab = Lab::builder().nodes(1).families(Families::V4).start()?;
    let node = lab.node(1);
    lab.etcd()[0].stop()?;
    node.spawn_routed(&[])?;
    wait_until("missing registry in /readyz", DEADLINE, || {
        get(node, "/readyz").is_ok_and(|(status, text)| {
            status == 503 && text.contains("the registry has not been read yet: etcd at http://")
        })
    })?;
    let (_, text) = get(node, "/readyz")?;
    assert!(text.contains("this node owns no subnet\n"), "{text}");
    assert!(
        text.contains("the conflist is not installed yet\n"),
        "{text}"
    );
    assert_eq!(
        get(node, "/healthz")?.0,
        200,
        "an outage is no reason to restart"
    );

    lab.etcd()[0].start()?;
    node.wait_ready()?;
    wait_until("readiness", DEADLINE, || {
        get(node, "/readyz").is_ok_and(|(status, _)| status == 200)
    })?;

    lab.etcd()[0].stop()?;
    wait_until("lag", DEADLINE, || {
        metrics(node).is_ok_and(|all| {
            all["flatland_registry_connected"] == 0.0 && all["flatland_registry_lag_seconds"] > 0.0
        })
    })?;
    assert_eq!(get(node, "/readyz")?.0, 200);
    assert_eq!(get(node, "/healthz")?.0, 200);
    Ok(())
}

#[test]
fn health_check_of_a_stuck_loop_fails_and_recovers() -> Result {
    let lab = Lab::builder().nodes(1).families(Families::V4).start()?;
    let node = lab.node(1);
    // Writes to a pipe that is full wait until another process reads.
    node.run(&["mkfifo", "/tmp/log"])?;
    let open = "exec 3<>/tmp/log; echo open; read forever";
    let keeper = node.spawn("keeper", None, &["sh", "-c", open])?;
    wait_until("pipe", DEADLINE, || keeper.log().contains("open"))?;
    let run = "exec /opt/flatland/routed run --conflist /etc/flatland/10-flatland.conflist \
               2>/tmp/log";
    let routed = node.spawn("routed", None, &["sh", "-c", run])?;
    wait_until("conflist", DEADLINE, || node.ready())?;
    let fill = "dd if=/dev/zero of=/tmp/log oflag=nonblock bs=4096 count=64 || true; \
                dd if=/dev/zero of=/tmp/log oflag=nonblock bs=1 count=4096 || true";
    node.run(&["sh", "-c", fill])?;
    // What is put back is logged.
    node.run(&["ip", "route", "del", "169.254.1.1"])?;

    wait_until("stuck loop in /healthz", DEADLINE, || {
        get(node, "/healthz").is_ok_and(|(status, text)| {
            status == 503 && text.contains("the event loop of routed has not answered for")
        })
    })?;
    let output = node.routed_command(&["status"])?;
    assert_eq!(output.status.code(), Some(1));
    assert!(
        output.stderr.contains("has not answered for"),
        "{}",
        output.stderr
    );

    let reader = node.spawn(
        "reader",
        None,
        &["sh", "-c", "exec cat /tmp/log >/dev/null"],
    )?;
    wait_until("health", DEADLINE, || {
        get(node, "/healthz").is_ok_and(|(status, _)| status == 200)
    })?;
    routed.end(Signal::SIGTERM)?;
    reader.end(Signal::SIGKILL)?;
    keeper.end(Signal::SIGKILL)
}

#[test]
fn long_or_silent_requests_do_not_block_others() -> Result {
    let lab = Lab::builder().nodes(1).families(Families::V4).start()?;
    let node = lab.node(1);
    node.start_routed()?;
    // The request is answered as too long, or the connection is closed before all of it is sent.
    let long = http(node, &format!("GET /healthz?{}", "x".repeat(20_000)));
    assert!(long.is_err() || long.is_ok_and(|(status, _)| (400..500).contains(&status)));

    // Twice as many silent connections as the server accepts.
    let silent = "for n in $(seq 128); do exec {fd}<>/dev/tcp/127.0.0.1/9470; done; echo open; cat";
    let holder = node.spawn("silent", None, &["bash", "-c", silent])?;
    wait_until("silent connections", DEADLINE, || {
        holder.log().contains("open")
    })?;
    wait_until("health beside them", DEADLINE * 2, || {
        get(node, "/healthz").is_ok_and(|(status, _)| status == 200)
    })?;
    // The command line has its own connections.
    node.routed_command(&["status"])?.success()?;
    holder.end(Signal::SIGKILL)
}

#[test]
fn http_port_in_use_is_logged_and_routes_are_kept() -> Result {
    let lab = Lab::builder().nodes(1).families(Families::V4).start()?;
    let node = lab.node(1);
    let serve = ["/opt/flatland/lab", "serve", "--port", "9470"];
    let taker = node.spawn("taker", None, &serve)?;
    wait_until("the port to be taken", DEADLINE, || {
        taker.log().contains(LISTENING)
    })?;
    node.start_routed()?;
    node.wait_log("cannot serve HTTP on 127.0.0.1:9470")?;
    taker.end(Signal::SIGKILL)?;
    wait_until("health", DEADLINE, || {
        get(node, "/healthz").is_ok_and(|(status, _)| status == 200)
    })?;
    assert_eq!(node.routed_log().matches("cannot serve HTTP").count(), 1);

    node.end_routed(Signal::SIGTERM)?;
    node.spawn_routed(&["--listen", "none"])?;
    node.wait_log("is ready for pods")?;
    assert!(http(node, "GET /healthz").is_err(), "no server listens");
    Ok(())
}
