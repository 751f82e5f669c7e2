//! `routed explain`: names the broken step of the packet's way, which the tests really break.

use lab::{DEADLINE, Families, Lab, Node, Pod, Result, Runtime, Target, wait_until};
use nix::sys::signal::Signal;
use serde_json::Value;

fn raise() -> Result<Lab> {
    let lab = Lab::builder().nodes(2).families(Families::V4).start()?;
    lab.start_routed()?;
    lab.wait_routes()?;
    Ok(lab)
}

fn explain(node: &Node, from: &str, to: &str) -> Result<(Option<i32>, Value)> {
    let output = node.routed_command(&["explain", from, to, "-o", "json"])?;
    let report = serde_json::from_str(&output.stdout).expect(&output.stderr);
    Ok((output.status.code(), report))
}

/// The step that is named as broken, and its evidence.
fn broken(node: &Node, from: &str, to: &str) -> Result<(String, String)> {
    let (status, report) = explain(node, from, to)?;
    let text = |key: &str| {
        report["broken"][key]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    assert_eq!(
        status == Some(1),
        report["broken"].is_object(),
        "{report:#}"
    );
    assert!(
        report["broken"].is_null() || !text("fix").is_empty(),
        "{report:#}"
    );
    Ok((text("link"), text("evidence")))
}

/// Waits until this step is named as broken, with this evidence.
fn wait_broken(node: &Node, from: &str, to: &str, link: &str, evidence: &str) -> Result {
    let mut last = None;
    wait_until(format!("{link} of {from} to {to}"), DEADLINE, || {
        last = broken(node, from, to).ok();
        last.iter()
            .any(|(found, seen)| found == link && seen.contains(evidence))
    })
    .map_err(|error| error.doing(format!("{last:?}")))
}

fn address(pod: &Pod<'_>) -> String {
    pod.addresses()[0].to_string()
}

fn host_interface(node: &Node, pod: &Pod<'_>) -> Result<String> {
    let route = node.run(&["ip", "route", "show", &address(pod)])?;
    let mut words = route.split_whitespace().skip_while(|word| *word != "dev");
    Ok(words.nth(1).unwrap_or_default().to_owned())
}

fn put(lab: &Lab, key: &str, value: &str) -> Result {
    let key = format!("/flatland/flatland/{key}");
    lab.etcd()[0].ctl(&["put", &key, value]).map(drop)
}

#[test]
fn working_path_is_explained_from_both_ends_with_pod_names() -> Result {
    let lab = raise()?;
    let [one, two] = [lab.node(1), lab.node(2)];
    let (a, b) = (one.add_pod("a")?, two.add_pod("b")?);
    let web = one.sandbox("web")?;
    let named = Target {
        args: "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=web-0",
        ..web.target()
    };
    Runtime::of(one)?.add(named)?;

    for (node, from, to) in [
        (one, "a".to_owned(), address(&b)),
        (one, "default/web-0".to_owned(), address(&b)),
        (one, address(&b), address(&a)),
        (one, "a".to_owned(), "default/web-0".to_owned()),
        (two, address(&a), "b".to_owned()),
    ] {
        let (status, report) = explain(node, &from, &to)?;
        assert_eq!(
            (status, &report["broken"]),
            (Some(0), &Value::Null),
            "{report:#}"
        );
    }
    let text = one
        .routed_command(&["explain", "a", &address(&b)])?
        .success()?;
    for part in [
        "a\n  ok       address: ",
        " is held by container a\n",
        "  ok       route: ",
        " via 192.168.1.12 dev eth0\n",
        "  ok       next hop: 192.168.1.12 answers on eth0\n",
        "nothing is broken, as far as this node can see\n",
    ] {
        assert!(text.contains(part), "{part:?} in {text}");
    }

    let refused = one.routed_command(&["explain", "nobody", "a"])?;
    assert_eq!(refused.status.code(), Some(64));
    assert!(
        refused.stderr.contains("no pod or container nobody"),
        "{}",
        refused.stderr
    );
    let elsewhere = one.routed_command(&["explain", &address(&b), "10.244.0.0"])?;
    assert_eq!(elsewhere.status.code(), Some(64));
    assert!(
        elsewhere.stderr.contains("is on node n2"),
        "{}",
        elsewhere.stderr
    );
    Ok(())
}

#[test]
fn broken_step_at_a_local_pod_is_named() -> Result {
    let lab = raise()?;
    let [one, two] = [lab.node(1), lab.node(2)];
    let far = address(&two.add_pod("far")?);
    let [down, gone, routeless, astray] = ["down", "gone", "routeless", "astray"];
    let pods: Vec<_> = [down, gone, routeless, astray]
        .into_iter()
        .map(|name| one.add_pod(name))
        .collect::<Result<_>>()?;
    let ends: Vec<_> = pods
        .iter()
        .map(|pod| host_interface(one, pod))
        .collect::<Result<_>>()?;

    one.run(&["ip", "link", "set", &ends[0], "down"])?;
    wait_broken(
        one,
        down,
        &far,
        "interface",
        &format!("{} is down", ends[0]),
    )?;
    one.run(&["ip", "link", "del", &ends[1]])?;
    wait_broken(
        one,
        gone,
        &far,
        "interface",
        &format!("{} is gone", ends[1]),
    )?;
    one.run(&["ip", "route", "replace", &address(&pods[3]), "dev", "eth0"])?;
    wait_broken(one, astray, &far, "host route", "it leads elsewhere")?;

    let free = address(&pods[3])
        .rsplit_once('.')
        .map(|(net, _)| format!("{net}.250"));
    let free = free.unwrap_or_default();
    wait_broken(
        one,
        &far,
        &free,
        "address",
        &format!("no pod on this node holds {free}"),
    )?;

    // The suggested fix works.
    let (_, report) = explain(one, astray, &far)?;
    let fix = report["broken"]["fix"]
        .as_str()
        .and_then(|fix| fix.split(';').next());
    one.run(&["sh", "-c", fix.unwrap_or_default()])?;
    assert_eq!(broken(one, astray, &far)?.0, "");

    // `routed` would restore the route, so it must be stopped.
    one.end_routed(Signal::SIGKILL)?;
    one.run(&["ip", "route", "del", &address(&pods[2])])?;
    wait_broken(one, routeless, &far, "host route", "there is none")
}

#[test]
fn broken_step_at_the_node_or_to_the_peer_is_named() -> Result {
    let lab = raise()?;
    let [one, two] = [lab.node(1), lab.node(2)];
    let (_a, far) = (one.add_pod("a")?, address(&two.add_pod("far")?));
    assert_eq!(broken(one, "a", &far)?.0, "");

    // A more specific route of another tool takes the packets.
    one.run(&[
        "ip",
        "route",
        "add",
        &far,
        "via",
        "192.168.1.1",
        "proto",
        "static",
    ])?;
    wait_broken(
        one,
        "a",
        &far,
        "packets",
        "should go via 192.168.1.12 dev eth0, but another program's route wins: ",
    )?;
    one.run(&["ip", "route", "del", &far])?;
    assert_eq!(broken(one, "a", &far)?.0, "");

    // A peer on no connected link, and one that does not answer.
    put(&lab, "subnets/10.244.199.0-24", r#"{"node":"n9"}"#)?;
    put(
        &lab,
        "nodes/n9",
        r#"{"addresses":["172.31.0.9"],"machineId":"9"}"#,
    )?;
    wait_broken(
        one,
        "a",
        "10.244.199.5",
        "route",
        "172.31.0.9 (on no connected link)",
    )?;
    put(
        &lab,
        "nodes/n9",
        r#"{"addresses":["192.168.1.99"],"machineId":"9"}"#,
    )?;
    wait_broken(
        one,
        "a",
        "10.244.199.5",
        "next hop",
        "no host on eth0 answers ARP for 192.168.1.99",
    )?;

    // The claim is deleted, and with it the route.
    lab.etcd()[0].ctl(&["del", "/flatland/flatland/subnets/10.244.199.0-24"])?;
    let unowned = "no node owns a subnet with 10.244.199.5";
    wait_broken(one, "a", "10.244.199.5", "claim", unowned)?;

    // Without `routed`, the route is not repaired.
    one.end_routed(Signal::SIGKILL)?;
    one.run(&["iptables-nft", "-P", "FORWARD", "DROP"])?;
    let drops = "chain FORWARD of table ip filter drops";
    wait_broken(one, "a", &far, "firewall", drops)?;
    one.run(&["iptables-nft", "-P", "FORWARD", "ACCEPT"])?;
    one.run(&["sysctl", "-qw", "net.ipv4.ip_forward=0"])?;
    wait_broken(one, "a", &far, "forwarding", "net.ipv4.ip_forward = 0")?;
    one.run(&["sysctl", "-qw", "net.ipv4.ip_forward=1"])?;
    let subnet = two.owned_subnets()?.remove(0);
    one.run(&["ip", "route", "del", &subnet])?;
    wait_broken(one, "a", &far, "route", "do not go to node n2")?;
    lab.etcd()[0].ctl(&["del", "--prefix", "/flatland/flatland/subnets/"])?;
    wait_broken(one, "a", &far, "claim", "")
}
