//! Interfaces that come and go all the time.

use std::time::{Duration, Instant};

use lab::{DEADLINE, Node, Result, Runtime, wait_until};
use wire::cni::CniVersion;

use crate::support::lab;

/// How long one call may take on a busy machine.
const MAX_TIME: Duration = Duration::from_secs(30);

/// Commands for `ip -batch` that make veth pairs, rename and delete them.
fn storm(number: usize) -> String {
    let lines = (0..10).map(|index| {
        let name = format!("s{number}x{index}");
        format!(
            "link add {name} type veth peer name {name}p\nlink set {name} name {name}n\n\
             link del {name}n\n"
        )
    });
    lines.collect()
}

/// Makes interfaces that stay, so that a listing takes several datagrams.
fn fill(node: &Node) -> Result {
    let lines =
        (0..60).map(|index| format!("link add idle{index} type veth peer name idle{index}p\n"));
    let lines: String = lines.collect();
    let output = node.run_with(&["ip", "-batch", "-"], lines.as_bytes())?;
    output.success().map(drop)
}

#[test]
fn add_gc_and_del_end_while_interfaces_come_and_go() -> Result {
    let lab = lab()?;
    let node = lab.node(1);
    fill(node)?;
    let runtime = Runtime::of(node)?.with_version(CniVersion::V1_1_0);
    let mut storms = Vec::new();
    for number in 0..2 {
        let file = format!("/run/storm{number}");
        node.write(&file, storm(number))?;
        let script = format!("while :; do ip -batch {file}; done");
        let words = ["timeout", "120", "sh", "-c", &script];
        storms.push(node.spawn(&format!("storm{number}"), None, &words)?);
    }
    wait_until("storm", DEADLINE, || {
        let links = node.run(&["ip", "-o", "link"]);
        links.is_ok_and(|links| links.contains(" s0x") || links.contains(" s1x"))
    })?;
    for round in 0..3 {
        let timed = |what: &str, start: Instant| {
            let took = start.elapsed();
            assert!(took < MAX_TIME, "{what} of round {round} took {took:?}");
        };
        let (kept, stale) = (node.sandbox("kept")?, node.sandbox("stale")?);
        let start = Instant::now();
        let attached = runtime.add(kept.target())?;
        timed("ADD", start);
        runtime.add(stale.target())?;

        let start = Instant::now();
        runtime.gc(&[kept.target()])?;
        timed("GC", start);
        let links = node.run(&["ip", "-o", "link"])?;
        assert!(!links.contains("stale/eth0"), "{links}");
        runtime.check(kept.target(), &attached)?;

        let start = Instant::now();
        runtime.del(kept.target(), Some(&attached))?;
        timed("DEL", start);
        kept.delete_netns()?;
        stale.delete_netns()?;
    }
    drop(storms);
    Ok(())
}
