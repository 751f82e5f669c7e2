//! Pods that scan unused addresses of the nodes' segment, with the table that docs/security.md has.

use std::path::Path;

use lab::{DEADLINE, Error, Families, Node, Pod, Result, wait_until};
use serde_json::json;

use crate::support::{raise, run};

/// The ruleset of the page.
fn ruleset() -> Result<String> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/security.md");
    let page = std::fs::read_to_string(page).map_err(|error| Error::new(error.to_string()))?;
    let (start, end) = ("```\ntable inet flatland-scans", "\n```");
    let from = page.find(start).map(|at| &page[at + "```\n".len()..]);
    let block = from.and_then(|from| Some(&from[..from.find(end)?]));
    let missing = || Error::new("the page has no such table".to_owned());
    block.map(str::to_owned).ok_or_else(missing)
}

/// The pod sends to 150 unused addresses. Returns how many neighbours the node looks for.
fn scan(node: &Node, pod: &Pod<'_>) -> Result<usize> {
    let send = "for n in $(seq 60 209); do echo x > /dev/udp/192.168.1.$n/9; done";
    pod.run(&["bash", "-c", send])?;
    let listed = run(node, "ip -4 neighbour show dev eth0 nud incomplete")?;
    Ok(listed.lines().count())
}

#[test]
fn table_of_the_security_page_limits_scans_of_a_pod() -> Result {
    let lab = raise(1, Families::V4, &json!({ "ipMasq": true }))?;
    let node = lab.node(1);
    let [a, b, c] = [node.add_pod("a")?, node.add_pod("b")?, node.add_pod("c")?];
    let without = scan(node, &a)?;
    assert!(without > 140, "{without}");
    wait_until("the end of these entries", DEADLINE, || {
        let listed = run(node, "ip -4 neighbour show dev eth0 nud incomplete");
        listed.is_ok_and(|listed| listed.is_empty())
    })?;

    node.write("/tmp/scans.nft", ruleset()?)?;
    run(node, "nft -f /tmp/scans.nft")?;
    let with = scan(node, &b)?;
    assert!((50..=100).contains(&with), "{with}");
    // Another pod, and soon this one, reaches hosts of the segment.
    let etcd = "192.168.1.2";
    c.run(&["ping", "-c1", "-W2", etcd])?;
    wait_until("the scanning pod to reach a host", DEADLINE, || {
        b.run(&["ping", "-c1", "-W1", etcd]).is_ok()
    })?;
    [a, b, c].into_iter().try_for_each(Pod::delete)
}
