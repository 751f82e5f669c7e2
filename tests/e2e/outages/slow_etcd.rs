//! An etcd that takes five seconds for every answer.

use std::time::Duration;

use lab::probe::LISTENING;
use lab::{DEADLINE, Lab, Node, Process, Result, wait_until};

use crate::support::{OUTAGE_LOG, add_and_delete_pods, count_routes_to, is_present, join};

const ANSWER_DELAY: Duration = Duration::from_secs(5);

/// Joining takes several answers, one after the other.
const JOIN_TIMEOUT: Duration = ANSWER_DELAY.saturating_mul(15);

/// Connects a node to etcd through a proxy that delays answers.
fn slow_down(lab: &mut Lab, number: usize) -> Result<Process> {
    let mut conflist = lab.conflist();
    conflist["plugins"][0]["ipam"]["etcd"]["endpoints"] =
        serde_json::json!(["http://127.0.0.1:2381"]);
    let node = lab.node_mut(number);
    node.set_conflist(&conflist)?;
    let delay = format!("--delay-ms={}", ANSWER_DELAY.as_millis());
    let command = [
        "/opt/flatland/lab",
        "delay",
        "--listen=127.0.0.1:2381",
        "--to=192.168.1.2:2379",
        &delay,
    ];
    let way = node.spawn("delay", None, &command)?;
    wait_until("slow way to etcd", DEADLINE, || {
        way.log().contains(LISTENING)
    })?;
    Ok(way)
}

/// The revision at which the node became present; a change means that its presence was interrupted.
fn present_since(lab: &Lab, node: &Node) -> Result<String> {
    let key = format!("/flatland/flatland/presence/{}", node.name());
    let fields = lab.etcd()[0].ctl(&["get", &key, "--write-out=fields"])?;
    let line = fields.lines().find(|line| line.contains("CreateRevision"));
    Ok(line.unwrap_or_default().to_owned())
}

#[test]
fn slow_etcd_answers_do_not_stop_joins_or_presence() -> Result {
    let mut lab = Lab::builder().nodes(2).start()?;
    let _ways = [slow_down(&mut lab, 1)?, slow_down(&mut lab, 2)?];
    let [one, two] = [lab.node(1), lab.node(2)];
    one.spawn_routed(&[])?;
    // The lease is renewed all the time: waiting for one answer after the other would be too late.
    two.spawn_routed(&["--presence-ttl=15"])?;
    for node in [one, two] {
        let joined = || node.ready() && is_present(&lab, node);
        wait_until("place in the network", JOIN_TIMEOUT, joined)
            .map_err(|error| error.doing(node.routed_log()))?;
    }
    lab.wait_routes()?;
    let since = [present_since(&lab, one)?, present_since(&lab, two)?];
    add_and_delete_pods(one, two.add_pod("old")?)?;

    // Several in a row: a connection that is closed because of slow answers would miss some.
    for number in 3..=5 {
        join(&mut lab)?;
        let [one, two, new] = [1, 2, number].map(|number| lab.node(number));
        new.wait_ready()?;
        wait_until(
            "ways to the new node",
            ANSWER_DELAY.saturating_mul(4),
            || count_routes_to(one, new) == 2 && count_routes_to(two, new) == 2,
        )
        .map_err(|error| error.doing(one.routed_log()))?;
    }
    for (node, since) in lab.nodes().iter().zip(since) {
        let log = node.routed_log();
        assert_eq!(present_since(&lab, node)?, since, "{log}");
        for text in [
            OUTAGE_LOG,
            "is not shown as present",
            "cannot join",
            "withdrawn",
        ] {
            assert_eq!(node.count_logged(text), 0, "{log}");
        }
    }
    Ok(())
}
