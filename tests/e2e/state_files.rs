//! State files that are something else, or larger than any that we write, and times in them that
//! are in the future.

use lab::{DEADLINE, Families, Lab, Node, Result, wait_until};
use nix::sys::signal::Signal;

const STATE: &str = "/var/lib/flatland/flatland";
const RUN: &str = "/run/flatland/flatland";

/// What takes the place of a file: its name, and the command that makes it at `$0`.
const DAMAGES: [(&str, &str); 4] = [
    ("FIFO", "mkfifo $0"),
    ("device", "ln -s /dev/zero $0"),
    ("sparse file", "truncate -s 1T $0"),
    ("folder", "mkdir $0"),
];

/// Runs a program with a limit of its memory, in KiB.
const LIMITED: &str = "ulimit -v 1000000; exec";

fn damage(node: &Node, path: &str, how: &str) -> Result {
    let script = format!("rm -rf $0; {how}");
    node.run(&["sh", "-c", &script, path]).map(drop)
}

/// Makes the plugin run with little memory.
fn limit_plugin(node: &Node) -> Result {
    let program = "/opt/cni/bin/flatland-ipam";
    node.run(&["mv", program, "/opt/cni/bin/ipam-unlimited"])?;
    let script = format!("#!/bin/sh\n{LIMITED} /opt/cni/bin/ipam-unlimited\n");
    node.write(program, script)?;
    node.run(&["chmod", "755", program]).map(drop)
}

#[test]
fn state_file_of_another_kind_stops_no_call_and_is_named() -> Result {
    let lab = Lab::builder().nodes(1).families(Families::V4).start()?;
    let node = lab.node(1);
    node.start_routed()?;
    node.add_pod("a")?.delete()?;
    node.end_routed(Signal::SIGTERM)?;
    limit_plugin(node)?;

    let subnets = format!("{STATE}/subnets.json");
    let content = node.read(&subnets)?;
    for (name, how) in DAMAGES {
        damage(node, &subnets, how)?;
        let error = node.add_pod("b").expect_err("no subnets").to_string();
        assert!(error.contains(&subnets), "{name}: {error}");
        let is_reason = error.contains("not a regular file") || error.contains("is larger than");
        assert!(is_reason, "{name}: {error}");
        node.run(&["ip", "netns", "del", "b"])?;
        node.run(&["rm", "-rf", &subnets])?;
        node.write(&subnets, &content)?;
    }

    // Neither has an influence on which addresses are free.
    let queue = node.run(&["sh", "-c", &format!("ls -d {RUN}/queues/*")])?;
    let shortage = format!("{STATE}/shortage.json");
    for (name, how) in &DAMAGES[..3] {
        for path in [queue.trim(), &shortage] {
            damage(node, path, how)?;
            let pod = node.add_pod("c").map_err(|error| error.doing(name))?;
            damage(node, path, how)?;
            pod.delete().map_err(|error| error.doing(name))?;
        }
    }
    node.run(&["rm", "-rf", queue.trim(), &shortage])?;

    let state = format!("{RUN}/routed.json");
    let run = "/opt/flatland/routed run --conflist /etc/flatland/10-flatland.conflist";
    let run = format!("{LIMITED} {run}");
    for (name, how) in DAMAGES {
        damage(node, &state, how)?;
        let routed = node.spawn(name, None, &["sh", "-c", &run])?;
        wait_until(format!("start beside a {name}"), DEADLINE, || {
            let log = routed.log();
            log.contains(&format!("{state} is ignored: it is")) && log.contains("is ready for pods")
        })
        .map_err(|error| error.doing(routed.log()))?;
        routed.end(Signal::SIGTERM)?;
    }
    Ok(())
}

#[test]
fn pod_added_before_clock_was_set_back_gets_its_route() -> Result {
    let lab = Lab::builder().nodes(1).families(Families::V4).start()?;
    let node = lab.node(1);
    node.start_routed()?;
    let pod = node.add_pod("a")?;
    let address = pod.addresses()[0];
    node.end_routed(Signal::SIGTERM)?;
    // The clock belongs to the whole machine: the time of the ADD is moved instead.
    let file = format!("{RUN}/addresses/{address}");
    let script = "sed -i 's/\"since\":[0-9]*/\"since\":9999999999/' $0";
    node.run(&["sh", "-c", script, &file])?;
    node.run(&["ip", "route", "del", &address.to_string()])?;
    node.start_routed()?;
    wait_until("route to the pod", DEADLINE, || {
        let route = node.run(&["ip", "route", "show", &address.to_string()]);
        route.is_ok_and(|route| !route.is_empty())
    })?;
    wait_until("well", DEADLINE, || {
        let status = node.routed_command(&["status"]);
        status.is_ok_and(|status| status.status.success())
    })?;
    pod.delete()
}

#[test]
fn pod_route_made_without_node_address_gets_a_source_later() -> Result {
    let lab = Lab::builder().nodes(1).start()?;
    let node = lab.node(1);
    node.start_routed()?;
    let pod = node.add_pod("a")?;
    let routes = |text: &str| {
        let all = node.routes().unwrap_or_default().into_iter();
        let to_pod = |route: &String| {
            let mut addresses = pod.addresses().into_iter();
            addresses.any(|address| route.starts_with(&format!("{address} ")))
        };
        all.filter(to_pod)
            .filter(|route| route.contains(text))
            .count()
    };
    assert_eq!(routes(" src "), 2, "{:?}", node.routes());
    let [v4, v6] = [0, 1].map(|at| node.addresses()[at].to_string());
    let (v4, v6) = (format!("{v4}/24"), format!("{v6}/64"));
    node.run(&["ip", "addr", "del", &v4, "dev", "eth0"])?;
    node.run(&["ip", "addr", "del", &v6, "dev", "eth0"])?;
    // The node gives itself an IPv4 address of its own subnet, but no IPv6 address.
    wait_until("route without source", DEADLINE, || {
        routes("") == 2 && routes(" src ") == 1
    })?;
    node.run(&["ip", "addr", "add", &v4, "dev", "eth0"])?;
    node.run(&["ip", "addr", "add", &v6, "dev", "eth0", "nodad"])?;
    wait_until("routes with source", DEADLINE, || routes(" src ") == 2)
        .map_err(|error| error.doing(node.routed_log()))?;
    pod.delete()
}
