//! Address capacity of a node: further subnets when addresses run low, return of unused subnets,
//! and freeing of the addresses of pods that ended without a DEL.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use lab::{DEADLINE, Lab, Node, Pod, Result, Runtime, wait_until};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use wire::cni::CniVersion;

/// Starts a lab with these keys in the `ipam` section of its conflist.
fn raise(nodes: u8, ipam: &Value) -> Result<Lab> {
    let mut lab = Lab::builder().nodes(nodes).start()?;
    let mut conflist = lab.conflist();
    for (key, value) in ipam.as_object().into_iter().flatten() {
        conflist["plugins"][0]["ipam"][key] = value.clone();
    }
    for number in 1..=nodes.into() {
        let mut own = conflist.clone();
        let before = lab.node(number).conflist();
        if let Some(name) = before.pointer("/plugins/0/ipam/nodeName") {
            own["plugins"][0]["ipam"]["nodeName"] = name.clone();
        }
        lab.node_mut(number).set_conflist(&own)?;
    }
    Ok(lab)
}

/// The IPv4 subnets that the nodes of the lab have claimed, from etcd.
fn claims(lab: &Lab) -> Result<BTreeSet<String>> {
    let keys = lab.etcd()[0].keys("/flatland/flatland/subnets/10.")?;
    Ok(keys.into_iter().collect())
}

fn count(node: &Node, kind: &str) -> Result<usize> {
    let routes = node.routes()?.into_iter();
    let of_v4 = routes.filter(|route| route.contains(kind) && route.contains("10.244."));
    Ok(of_v4.count())
}

fn wait_for(node: &Node, kind: &str, expected: usize) -> Result {
    let what = format!("{expected} IPv4 routes ({kind}) on {}", node.name());
    wait_until(what, DEADLINE, || {
        count(node, kind).is_ok_and(|found| found == expected)
    })
    .map_err(|error| error.doing(node.routed_log()))
}

fn add(node: &Node, pods: std::ops::Range<usize>) -> Result<Vec<Pod<'_>>> {
    pods.map(|pod| node.add_pod(&format!("p{pod}"))).collect()
}

#[test]
fn node_low_on_addresses_claims_and_later_releases_a_subnet() -> Result {
    // 13 addresses in each IPv4 subnet.
    let small = json!({"subnetLengths": [28, 80], "coolDown": 0, "giveBackAfter": 1});
    let lab = raise(2, &small)?;
    lab.start_routed()?;
    let [one, two] = [lab.node(1), lab.node(2)];
    wait_for(two, " via ", 1)?;
    let mut pods = add(one, 0..12)?;
    wait_for(two, " via ", 2)?;
    wait_for(one, "unreachable", 2)?;
    assert_eq!(claims(&lab)?.len(), 3);

    pods.extend(add(one, 12..15)?);
    let elsewhere = two.add_pod("elsewhere")?;
    for pod in [&pods[0], &pods[14]] {
        for address in pod.addresses() {
            elsewhere.run(&["ping", "-c1", "-W2", &address.to_string()])?;
        }
    }
    assert_eq!(
        lab.etcd()[0].keys("/flatland/flatland/subnets/fd")?.len(),
        2
    );

    pods.into_iter().try_for_each(Pod::delete)?;
    wait_for(one, "unreachable", 1)?;
    wait_for(two, " via ", 1)?;
    assert_eq!(claims(&lab)?.len(), 2);
    assert!(
        one.routed_log().contains("is given back"),
        "{}",
        one.routed_log()
    );
    Ok(())
}

#[test]
fn exhausted_node_without_routed_claims_a_subnet_in_add() -> Result {
    let lab = raise(1, &json!({"subnetLengths": [29, 80]}))?;
    let node = lab.node(1);
    node.install_conflist()?;
    let _first = add(node, 0..5)?;
    assert_eq!(claims(&lab)?.len(), 1);
    let _more = add(node, 5..6)?;
    assert_eq!(claims(&lab)?.len(), 2);
    node.spawn_routed(&[])?;
    wait_for(node, "unreachable", 2)
}

#[test]
fn exhausted_pod_cidr_is_reported_with_its_claims_by_status() -> Result {
    let dry = json!({"podCIDRs": ["10.244.0.0/28", "fd00:10:244::/56"], "subnetLengths": [29, 80]});
    let lab = raise(2, &dry)?;
    lab.start_routed()?;
    let node = lab.node(1);
    let runtime = Runtime::of(node)?.with_version(CniVersion::V1_1_0);
    let _pods = add(node, 0..4)?;
    wait_until("log line about few addresses", DEADLINE, || {
        node.routed_log().contains("few addresses are left")
    })?;
    runtime.status()?;
    let _last = add(node, 4..5)?;

    let status = runtime.status().unwrap_err().to_string();
    let add = node.add_pod("one-too-many").unwrap_err().to_string();

    assert!(add.contains("\"code\":101"), "{add}");
    assert!(status.contains("\"code\":50"), "{status}");
    for text in [add, status] {
        let parts = [
            "all 2 subnets of pod CIDR 10.244.0.0/28",
            "1 by n1",
            "1 by n2",
        ];
        for part in parts {
            assert!(text.contains(part), "{text} lacks {part}");
        }
    }
    Ok(())
}

/// The addresses that are reserved on a node.
fn held(node: &Node) -> Result<BTreeSet<String>> {
    let names = node.run(&["ls", "/run/flatland/flatland/addresses"])?;
    Ok(names.lines().map(str::to_owned).collect())
}

fn of(pod: &Pod<'_>) -> BTreeSet<String> {
    pod.addresses().iter().map(ToString::to_string).collect()
}

fn wait_held(node: &Node, expected: &BTreeSet<String>) -> Result {
    wait_until("addresses to be freed", DEADLINE, || {
        held(node).is_ok_and(|held| held == *expected)
    })
    .map_err(|error| error.doing(node.routed_log()))
}

#[test]
fn addresses_of_pods_deleted_without_del_are_freed() -> Result {
    let lab = raise(1, &json!({"sweepAfter": 1}))?;
    let node = lab.node(1);
    node.start_routed()?;
    let (stays, goes) = (node.add_pod("stays")?, node.add_pod("goes")?);
    // Its namespace's name goes, but a process inside keeps the namespace.
    let hidden = node.add_pod("hidden")?;
    let inside = hidden.spawn("sleep", &["sleep", "1000"])?;
    let kept = &of(&stays) | &of(&hidden);
    goes.delete_netns()?;
    hidden.delete_netns()?;
    wait_held(node, &kept)?;
    wait_until("log line about the kept namespace", DEADLINE, || {
        node.routed_log()
            .contains("some process keeps the namespace")
    })?;
    assert_eq!(held(node)?, kept);
    assert!(
        node.routed_log().contains("attachment goes/eth0"),
        "{}",
        node.routed_log()
    );

    inside.end(Signal::SIGKILL)?;
    wait_held(node, &of(&stays))?;
    let attachments = node.run(&["ls", "/run/flatland/flatland/attachments"])?;
    assert_eq!(
        attachments.lines().collect::<Vec<_>>(),
        ["stays@eth0.4", "stays@eth0.6"]
    );
    stays.run(&["ip", "route", "get", "192.168.1.1"])?;
    stays.delete()
}

#[test]
fn addresses_leaked_while_routed_was_off_are_freed_later() -> Result {
    let lab = raise(
        1,
        &json!({"sweepAfter": 1, "subnetLengths": [29, 80], "coolDown": 0}),
    )?;
    let node = lab.node(1);
    node.start_routed()?;
    node.end_routed(Signal::SIGTERM)?;
    // More pods than a subnet has addresses, each deleted without a DEL.
    for pod in 0..8 {
        node.add_pod(&format!("p{pod}"))?.delete_netns()?;
    }
    let stays = node.add_pod("stays")?;
    assert_eq!(held(node)?.len(), 18);

    let began = Instant::now();
    node.spawn_routed(&[])?;
    wait_held(node, &of(&stays))?;
    assert!(
        began.elapsed() >= Duration::from_secs(1),
        "the grace period was kept"
    );
    stays.delete()
}

/// What other programs remove from /run while pods run.
const REMOVED: [&str; 8] = [
    "",
    "/flatland",
    "/flatland/addresses",
    "/flatland/attachments",
    "/flatland/freed",
    "/flatland/queues",
    "/flatland/*/*",
    "/flatland/addresses/*",
];

fn remove(node: &Node, what: &str) -> Result {
    let script = format!("rm -rf /run/flatland{what}");
    node.run(&["sh", "-c", &script]).map(drop)
}

fn ping(from: &Pod<'_>, to: &Pod<'_>) -> Result {
    to.addresses().iter().try_for_each(|address| {
        let words = ["ping", "-c1", "-W2", &address.to_string()];
        from.run(&words).map(drop)
    })
}

#[test]
fn wiped_ledger_is_made_anew_by_add_without_routed() -> Result {
    let lab = raise(1, &json!({}))?;
    let node = lab.node(1);
    node.install_conflist()?;
    let mut pods = add(node, 0..3)?;
    for what in REMOVED {
        pods.remove(1).delete()?;
        remove(node, what)?;
        let new = node.add_pod(&format!("after{}", what.replace(['/', '*'], "-")))?;
        ping(&new, &pods[0])?;
        pods.push(new);
        if what != "/flatland/addresses/*" {
            let all = pods.iter().flat_map(of).collect();
            assert_eq!(held(node)?, all, "{what}");
        }
    }
    let doctor = node.routed_command(&["doctor"])?.stdout;
    assert!(doctor.contains("which pods have"), "{doctor}");
    pods.into_iter().try_for_each(Pod::delete)
}

#[test]
fn wiped_ledger_is_made_anew_by_routed() -> Result {
    let lab = raise(1, &json!({"sweepAfter": 1}))?;
    let node = lab.node(1);
    node.start_routed()?;
    let mut pods = add(node, 0..3)?;
    for what in REMOVED {
        pods.remove(1).delete()?;
        remove(node, what)?;
        let all = pods.iter().flat_map(of).collect();
        wait_held(node, &all)?;
        wait_until("links", DEADLINE, || {
            let names = node.run(&["ls", "/run/flatland/flatland/attachments"]);
            names.is_ok_and(|names| names.lines().count() == 2 * pods.len())
        })?;
        let new = node.add_pod(&format!("after{}", what.replace(['/', '*'], "-")))?;
        ping(&new, &pods[0])?;
        pods.push(new);
    }
    node.wait_log("made anew from the kernel's routes")?;
    let doctor = node.routed_command(&["doctor"])?.stdout;
    assert!(doctor.contains("ok       ledger: "), "{doctor}");
    wait_until(
        "routed status after its socket was removed",
        DEADLINE,
        || {
            let status = node.routed_command(&["status"]);
            status.is_ok_and(|status| status.stdout.contains("network flatland: well"))
        },
    )?;
    // A pod whose address file was made anew goes without a DEL.
    let goes = pods.remove(0);
    goes.delete_netns()?;
    wait_held(node, &pods.iter().flat_map(of).collect())?;
    pods.into_iter().try_for_each(Pod::delete)?;
    wait_held(node, &BTreeSet::new())
}

#[test]
fn address_freed_by_the_sweep_on_a_full_run_is_used() -> Result {
    let lab = raise(1, &json!({"sweepAfter": 1}))?;
    let node = lab.node(1);
    let small = "mkdir -p /run/flatland/flatland
        mount -t tmpfs -o size=128k tmpfs /run/flatland/flatland";
    node.run(&["sh", "-c", small])?;
    node.start_routed()?;
    let _stays = node.add_pod("stays")?;
    let gone = add(node, 0..3)?;
    let fill = "dd if=/dev/zero of=/run/flatland/flatland/filler bs=4096 2>/dev/null || true";
    node.run(&["sh", "-c", fill])?;
    let refused = node.add_pod("refused").unwrap_err().to_string();
    assert!(refused.contains("df -i"), "{refused}");
    let doctor = node.routed_command(&["doctor"])?.stdout;
    assert!(
        doctor.contains("/run/flatland/flatland is almost full"),
        "{doctor}"
    );

    gone.into_iter().try_for_each(Pod::delete_netns)?;
    wait_until("addresses to be freed", DEADLINE, || {
        held(node).is_ok_and(|held| held.len() == 2)
    })?;
    node.add_pod("new")?.delete()
}

#[test]
fn file_in_place_of_the_ledger_is_named_by_status_and_doctor() -> Result {
    let lab = raise(1, &json!({}))?;
    let node = lab.node(1);
    node.start_routed()?;
    let pod = node.add_pod("a")?;
    let script = "cd /run/flatland/flatland; rm -r freed; echo > freed";
    node.run(&["sh", "-c", script])?;
    pod.delete()?;
    assert_eq!(held(node)?, BTreeSet::new());
    wait_until("word of it in routed status", DEADLINE, || {
        let status = node.routed_command(&["status"]);
        status.is_ok_and(|status| status.stdout.contains("/run/flatland/flatland/freed"))
    })?;
    let doctor = node.routed_command(&["doctor"])?.stdout;
    assert!(doctor.contains("freed is a file, not a folder"), "{doctor}");
    node.run(&["rm", "/run/flatland/flatland/freed"])?;
    node.add_pod("c")?.delete()
}
