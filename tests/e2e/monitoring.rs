//! The alert rules and the dashboard, with a real Prometheus that scrapes a real node.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use lab::policy::{PodObject, PolicyCluster};
use lab::{DEADLINE, Error, Families, Lab, Node, Result, unpacked, wait_for, wait_until};
use serde_json::{Value, json};

const CONFIG: &str = "\
global: { scrape_interval: 200ms, scrape_timeout: 200ms, evaluation_interval: 200ms }
rule_files: [/etc/alerts.yaml]
scrape_configs:
  - job_name: routed
    static_configs: [{ targets: ['127.0.0.1:9470'] }]
  - job_name: flatland-policy
    static_configs: [{ targets: ['127.0.0.1:9472'] }]
";

fn conf(name: &str) -> PathBuf {
    let conf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../conf/monitoring");
    conf.join(name)
}

fn read(name: &str) -> Result<String> {
    fs::read_to_string(conf(name)).map_err(|error| Error::new(format!("{name}: {error}")))
}

/// The answer of Prometheus to a GET.
fn query_prometheus(node: &Node, path: &str) -> Option<Value> {
    let script = r#"exec 3<>/dev/tcp/127.0.0.1/9090 && printf "$0" >&3 && cat <&3"#;
    let request = format!("GET /api/v1/{path} HTTP/1.0\\r\\n\\r\\n");
    let answer = node.run(&["bash", "-c", script, &request]).ok()?;
    let (_, body) = answer.split_once("\r\n\r\n")?;
    let answer: Value = serde_json::from_str(body).ok()?;
    (answer["status"] == "success").then(|| answer["data"].clone())
}

/// A ready node, with a Prometheus that has scraped it.
fn scraped(lab: &Lab) -> Result<(&Node, lab::Process)> {
    lab.start_routed()?;
    prometheus(lab)
}

/// As [`scraped`], where `routed` runs already.
fn prometheus(lab: &Lab) -> Result<(&Node, lab::Process)> {
    let node = lab.node(1);
    node.install(&unpacked("usr/bin/prometheus"), "/opt/prometheus")?;
    node.write("/etc/prometheus.yaml", CONFIG)?;
    node.write("/etc/alerts.yaml", read("alerts.yaml")?)?;
    let prometheus = node.spawn(
        "prometheus",
        None,
        &[
            "/opt/prometheus",
            "--config.file=/etc/prometheus.yaml",
            "--storage.tsdb.path=/var/lib/prometheus",
            "--web.listen-address=127.0.0.1:9090",
        ],
    )?;
    wait_for("a scrape", DEADLINE, || {
        let ready = query_prometheus(node, "query?query=flatland_ready")?;
        (ready["result"][0]["value"][1] == "1").then_some(())
    })
    .map_err(|error| error.doing(prometheus.log()))?;
    Ok((node, prometheus))
}

/// The names of our metrics in a text.
fn names(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_ascii_lowercase() || c == '_'));
    let ours = words.filter(|word| word.starts_with("flatland_"));
    ours.map(str::to_owned).collect()
}

#[test]
fn metrics_of_alerts_and_dashboard_exist() -> Result {
    let cluster = PolicyCluster::with_etcd(1)?;
    cluster.namespace("shop", &[])?;
    let deny = json!({ "podSelector": {}, "policyTypes": ["Ingress"] });
    cluster.policy("shop", "deny", &deny)?;
    let web = cluster.pod(1, &PodObject::new("shop", "web-0", &[]))?;
    let client = cluster.pod(1, &PodObject::new("shop", "client", &[]))?;
    // A policy has a metric once it has decided about a packet.
    let denied = client.run(&["ping", "-c1", "-W1", &web.addresses()[0].to_string()]);
    assert!(denied.is_err(), "{denied:?}");
    let (node, prometheus) = prometheus(&cluster.cluster.lab)?;
    let used = &names(&read("alerts.yaml")?) | &names(&read("dashboard.json")?);
    assert!(used.len() > 10, "{used:?}");
    let mut missing = Vec::new();
    wait_until("metrics of both programs", DEADLINE, || {
        let known = query_prometheus(node, "label/__name__/values").unwrap_or_default();
        let known: BTreeSet<String> = serde_json::from_value(known).unwrap_or_default();
        missing = used.difference(&known).cloned().collect();
        missing.is_empty()
    })
    .map_err(|error| error.doing(format!("{missing:?}\n{}", prometheus.log())))
}

#[test]
fn queries_of_alerts_and_dashboard_are_valid() -> Result {
    let rules = Command::new(unpacked("usr/bin/promtool"))
        .args(["check", "rules"])
        .arg(conf("alerts.yaml"))
        .output()
        .map_err(|error| Error::new(format!("promtool: {error}: run `make setup`")))?;
    assert!(rules.status.success(), "{rules:?}");

    let lab = Lab::builder().nodes(1).families(Families::V4).start()?;
    let (node, _prometheus) = scraped(&lab)?;
    let dashboard: Value = serde_json::from_str(&read("dashboard.json")?)
        .map_err(|error| Error::new(error.to_string()))?;
    let panels = dashboard["panels"].as_array().into_iter().flatten();
    let targets = panels.flat_map(|panel| panel["targets"].as_array().into_iter().flatten());
    let mut count = 0;
    for target in targets {
        let query = target["expr"].as_str().unwrap_or_default();
        let query = query.replace("$__rate_interval", "1m");
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_(),.".contains(&byte);
        let encoded: String = query
            .bytes()
            .map(|byte| match byte {
                byte if is_plain(byte) => char::from(byte).to_string(),
                // Escaped twice, as the request goes through printf.
                byte => format!("%%{byte:02X}"),
            })
            .collect();
        let answer = query_prometheus(node, &format!("query?query={encoded}"));
        assert!(answer.is_some(), "{query}");
        count += 1;
    }
    assert!(count >= 16, "{count}");
    Ok(())
}

#[test]
fn alert_is_pending_only_with_a_fault() -> Result {
    let lab = Lab::builder().nodes(1).families(Families::V4).start()?;
    let (node, prometheus) = scraped(&lab)?;
    let state = |alert: &str| -> Option<String> {
        let groups = query_prometheus(node, "rules")?;
        let rules = groups["groups"][0]["rules"].as_array()?.clone();
        let rule = rules.into_iter().find(|rule| rule["name"] == alert)?;
        let is_evaluated = rule["health"] == "ok";
        is_evaluated.then(|| rule["state"].as_str().unwrap_or_default().to_owned())
    };
    let alert = "FlatlandRecordsIgnored";
    wait_for("an evaluation", DEADLINE, || {
        state(alert).filter(|state| state == "inactive")
    })
    .map_err(|error| error.doing(prometheus.log()))?;
    for quiet in [
        "FlatlandRoutesMissing",
        "FlatlandNodeNotReady",
        "FlatlandConflict",
    ] {
        assert_eq!(state(quiet).as_deref(), Some("inactive"), "{quiet}");
    }

    lab.etcd()[0].ctl(&["put", "/flatland/flatland/subnets/nonsense", "{}"])?;

    wait_for("a pending alert", DEADLINE, || {
        state(alert).filter(|state| state == "pending")
    })
    .map_err(|error| error.doing(node.routed_log()))
    .map(drop)
}
