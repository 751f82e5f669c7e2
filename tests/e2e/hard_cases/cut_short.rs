//! ADDs that are killed.

use std::thread;

use lab::{DEADLINE, Lab, Node, Result, Runtime, Target, wait_until};
use serde_json::json;
use wire::cni::{Attachment, Version};
use wire::node::host_interface;

use crate::support::{Case, Disturbed, lab};

#[test]
fn an_add_that_is_killed_at_any_system_call_leaves_nothing_that_del_does_not_remove() -> Result {
    let lab = lab()?;
    let case = Case::new(&lab)?;
    // What reaches beyond the process: netlink, files, pipes, the IPAM plugin.
    for call in ["sendto", "recvfrom", "open", "read", "write", "wait4"] {
        let cut = |number| format!("{call}:signal=KILL:when={number}");
        case.each_add(cut, |cut, _| {
            case.runtime.del(case.pod.target(), None)?;
            case.is_as_before(cut)
        })?;
        case.is_as_before(call)?;
    }
    Ok(())
}

/// Kills an ADD when it has made the pair and not said yet for whom. Returns the host end's name.
fn cut_before_the_alias(
    node: &Node,
    disturb: &Disturbed<'_>,
    target: Target<'_>,
) -> Result<String> {
    let runtime = Runtime::of(node)?;
    let attachment = Attachment::new(target.container_id, target.interface);
    let attachment = attachment.expect("a sandbox has a valid name");
    let name = host_interface("flatland", &attachment);
    for number in 1.. {
        disturb.by(&format!("sendto:signal=KILL:when={number}"))?;
        assert!(runtime.add(target).is_err(), "{number}: nothing to kill");
        let shown = node.run_with(&["ip", "-o", "link", "show", &name], b"")?;
        if shown.status.success() {
            assert!(!shown.stdout.contains("alias"), "{}", shown.stdout);
            break;
        }
        runtime.del(target, None)?;
    }
    Ok(name)
}

#[test]
fn a_host_end_without_an_alias_is_gcs_to_remove_and_nobody_elses_is() -> Result {
    let lab = lab()?;
    let node = lab.node(1);
    let runtime = Runtime::of(node)?.speaking(Version::V1_1_0);
    // Names like ours, of interfaces that are not.
    node.run(&["ip", "link", "add", "flat0123456789a", "type", "veth"])?;
    node.run(&["ip", "link", "add", "flat0123456789b", "type", "bridge"])?;
    let before = node.traces()?;
    let [cut, valid] = [node.sandbox("cut")?, node.sandbox("valid")?];
    let disturb = Disturbed::adds_of(node)?;
    cut_before_the_alias(node, &disturb, cut.target())?;

    runtime.gc(&[])?;

    assert_eq!(node.traces()?, before);
    let name = cut_before_the_alias(node, &disturb, valid.target())?;
    runtime.gc(&[valid.target()])?;
    node.run(&["ip", "link", "show", &name])?;
    runtime.del(valid.target(), None)?;
    assert_eq!(node.traces()?, before);
    Ok(())
}

#[test]
fn gc_leaves_an_add_alone_that_another_runtime_is_in_the_middle_of() -> Result {
    let lab = lab()?;
    let node = lab.node(1);
    let runtime = Runtime::of(node)?;
    let mut conflist = lab.conflist();
    conflist["name"] = json!("other");
    let other = Runtime::with(node, conflist)?.speaking(Version::V1_1_0);
    let pod = node.sandbox("a")?;
    let disturb = Disturbed::adds_of(node)?;
    let name = cut_before_the_alias(node, &disturb, pod.target())?;
    let cut = node.read("/run/disturb")?;
    let number = cut.rsplit('=').next().unwrap_or_default();
    runtime.del(pod.target(), None)?;

    disturb.by(&format!("sendto:delay_enter=400000:when={number}"))?;
    let attached = thread::scope(|scope| {
        let add = scope.spawn(|| runtime.add(pod.target()));
        wait_until("host end", DEADLINE, || {
            node.run(&["ip", "link", "show", &name]).is_ok()
        })?;
        other.gc(&[])?;
        add.join().unwrap()
    })?;

    runtime.check(pod.target(), &attached)
}

#[test]
fn the_sweep_removes_what_an_add_left_that_was_cut_short() -> Result {
    let mut lab = Lab::builder().etcd(0).start()?;
    let mut conflist = lab.conflist();
    conflist["plugins"][0]["ipam"]["sweepAfter"] = json!(1);
    lab.node_mut(1).set_conflist(&conflist)?;
    let node = lab.node(1);
    node.start_routed()?;
    let pod = node.sandbox("a")?;
    let disturb = Disturbed::adds_of(node)?;
    let name = cut_before_the_alias(node, &disturb, pod.target())?;
    node.run(&["ip", "link", "add", "flat0123456789a", "type", "veth"])?;

    let gone = || node.run(&["ip", "link", "show", &name]).is_err();
    wait_until("end of the host end", DEADLINE, gone)
        .map_err(|error| error.doing(node.routed_log()))?;

    node.run(&["ip", "link", "show", "flat0123456789a"])?;
    pod.vanish()?;
    wait_until("end of its addresses", DEADLINE, || {
        let held = node.run(&["ls", "/run/flatland/flatland/addresses"]);
        held.is_ok_and(|held| held.is_empty())
    })
}
