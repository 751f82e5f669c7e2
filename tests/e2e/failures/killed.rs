//! ADD, DEL and GC that are killed, and the sweep of what they leave.

use std::thread;

use lab::{DEADLINE, Lab, Node, Result, Runtime, Target, wait_until};
use serde_json::json;
use wire::cni::{Attachment, CniVersion};
use wire::pod_link::host_interface_name;

use crate::support::{FaultInjection, UnattachedPod, lab, wrap_ipam};

#[test]
fn add_killed_at_any_call_is_fully_removed_by_del() -> Result {
    let lab = lab()?;
    let case = UnattachedPod::new(&lab)?;
    // The system calls with effects outside of the process: netlink, files, pipes.
    let calls = [
        "sendto", "recvfrom", "open", "read", "write", "symlink", "linkat",
    ];
    kill_at_each(&case, &calls)?;
    // The IPAM plugin as a process of its own.
    wrap_ipam(case.node, "exec $REAL")?;
    kill_at_each(&case, &["sendto", "read", "write", "wait4"])
}

fn kill_at_each(case: &UnattachedPod<'_>, calls: &[&str]) -> Result {
    for call in calls {
        let cut = |number| format!("{call}:signal=KILL:when={number}");
        case.each_add(cut, |cut, _| {
            case.runtime.del(case.pod.target(), None)?;
            case.is_as_before(cut)
        })?;
        case.is_as_before(call)?;
    }
    Ok(())
}

/// Kills an ADD after it has made the veth pair and before it has set the alias. Returns the name
/// of the host interface.
fn cut_before_the_alias(
    node: &Node,
    faults: &FaultInjection<'_>,
    target: Target<'_>,
) -> Result<String> {
    let runtime = Runtime::of(node)?;
    let attachment = Attachment::new(target.container_id, target.interface);
    let attachment = attachment.expect("a sandbox has a valid name");
    let name = host_interface_name("flatland", &attachment);
    for number in 1.. {
        faults.inject(&format!("sendto:signal=KILL:when={number}"))?;
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
fn host_interface_without_alias_is_removed_by_gc_if_ours() -> Result {
    let lab = lab()?;
    let node = lab.node(1);
    let runtime = Runtime::of(node)?.with_version(CniVersion::V1_1_0);
    // Interfaces with names like ours that are not ours.
    node.run(&["ip", "link", "add", "flat0123456789a", "type", "veth"])?;
    node.run(&["ip", "link", "add", "flat0123456789b", "type", "bridge"])?;
    let before = node.attachment_state()?;
    let [cut, valid] = [node.sandbox("cut")?, node.sandbox("valid")?];
    let faults = FaultInjection::into_adds(node)?;
    cut_before_the_alias(node, &faults, cut.target())?;

    runtime.gc(&[])?;

    assert_eq!(node.attachment_state()?, before);
    let name = cut_before_the_alias(node, &faults, valid.target())?;
    runtime.gc(&[valid.target()])?;
    node.run(&["ip", "link", "show", &name])?;
    runtime.del(valid.target(), None)?;
    assert_eq!(node.attachment_state()?, before);
    Ok(())
}

#[test]
fn gc_during_an_add_of_another_runtime_leaves_it_alone() -> Result {
    let lab = lab()?;
    let node = lab.node(1);
    let runtime = Runtime::of(node)?;
    let mut conflist = lab.conflist();
    conflist["name"] = json!("other");
    let other = Runtime::with(node, conflist)?.with_version(CniVersion::V1_1_0);
    let pod = node.sandbox("a")?;
    let faults = FaultInjection::into_adds(node)?;
    let name = cut_before_the_alias(node, &faults, pod.target())?;
    let cut = node.read("/run/inject")?;
    let number = cut.rsplit('=').next().unwrap_or_default();
    runtime.del(pod.target(), None)?;

    // Longer than GC watches an interface that may be a leftover.
    faults.inject(&format!("sendto:delay_enter=2500000:when={number}"))?;
    let attached = thread::scope(|scope| {
        let add = scope.spawn(|| runtime.add(pod.target()));
        wait_until("host interface", DEADLINE, || {
            node.run(&["ip", "link", "show", &name]).is_ok()
        })?;
        other.gc(&[])?;
        add.join().unwrap()
    })?;

    runtime.check(pod.target(), &attached)
}

#[test]
fn del_or_gc_killed_at_any_call_is_completed_by_the_next() -> Result {
    for verb in ["DEL", "GC"] {
        let lab = lab()?;
        let node = lab.node(1);
        let before = node.attachment_state()?;
        let runtime = Runtime::of(node)?.with_version(CniVersion::V1_1_0);
        let faults = FaultInjection::into_calls(node, verb)?;
        let mut cuts = 0;
        let call = |target: Target<'_>| match verb {
            "DEL" => runtime.del(target, None),
            _ => runtime.gc(&[]),
        };
        for name in [
            "sendto", "recvfrom", "open", "read", "write", "rename", "unlink",
        ] {
            for number in 1.. {
                let cut = format!("{name}:signal=KILL:when={number}");
                let pod = node.sandbox("a")?;
                let attached = runtime.add(pod.target())?;
                faults.inject(&cut)?;
                let outcome = call(pod.target());

                // At every point, an address may be free only if no route leads to the pod.
                let held = node.run(&["ls", "/run/flatland/flatland/addresses"])?;
                for route in node.routes()? {
                    let address = route.split(' ').next().unwrap_or_default();
                    assert!(
                        held.contains(address),
                        "{verb} {cut}: {route}, but only {held}"
                    );
                }
                faults.trace_only()?;
                call(pod.target())?;
                assert_eq!(node.attachment_state()?, before, "{verb} {cut}");
                runtime.del(pod.target(), Some(&attached))?;
                pod.delete_netns()?;
                if outcome.is_ok() {
                    break;
                }
                cuts += 1;
            }
        }
        assert!(cuts > 0, "no {verb} was cut");
    }
    Ok(())
}

#[test]
fn sweep_during_an_add_with_slow_ipam_leaves_it_alone() -> Result {
    let lab = swept()?;
    let node = lab.node(1);
    let runtime = Runtime::of(node)?;
    let (slow, cut) = (node.sandbox("slow")?, node.sandbox("cut")?);
    let wait = "while [ $CNI_COMMAND-$CNI_CONTAINERID = ADD-slow ] && [ ! -e /run/go ]; do sleep 0.1; done";
    wrap_ipam(node, &format!("{wait}\nexec $REAL"))?;
    let attachment = Attachment::new("slow", "eth0").expect("a valid name");
    let slow_end = host_interface_name("flatland", &attachment);
    let attached = thread::scope(|scope| {
        let add = scope.spawn(|| runtime.add(slow.target()));
        wait_until("host interface", DEADLINE, || {
            node.run(&["ip", "link", "show", &slow_end]).is_ok()
        })?;
        // An ADD that is killed later, and swept, shows that the sweep has checked the slow one
        // too.
        let faults = FaultInjection::into_adds(node)?;
        let cut_end = cut_before_the_alias(node, &faults, cut.target())?;
        let gone = || node.run(&["ip", "link", "show", &cut_end]).is_err();
        wait_until("end of the host interface", DEADLINE, gone)?;
        node.write("/run/go", "")?;
        add.join().unwrap()
    })?;
    runtime.check(slow.target(), &attached)
}

/// A single node whose `routed` sweeps leftovers after a second.
fn swept() -> Result<Lab> {
    let mut lab = Lab::builder().etcd(0).start()?;
    let mut conflist = lab.conflist();
    conflist["plugins"][0]["ipam"]["sweepAfter"] = json!(1);
    lab.node_mut(1).set_conflist(&conflist)?;
    lab.node(1).start_routed()?;
    Ok(lab)
}

#[test]
fn sweep_removes_leftovers_of_a_killed_add() -> Result {
    let lab = swept()?;
    let node = lab.node(1);
    let pod = node.sandbox("a")?;
    let faults = FaultInjection::into_adds(node)?;
    let name = cut_before_the_alias(node, &faults, pod.target())?;
    node.run(&["ip", "link", "add", "flat0123456789a", "type", "veth"])?;

    let gone = || node.run(&["ip", "link", "show", &name]).is_err();
    wait_until("end of the host interface", DEADLINE, gone)
        .map_err(|error| error.doing(node.routed_log()))?;

    node.run(&["ip", "link", "show", "flat0123456789a"])?;
    pod.delete_netns()?;
    wait_until("end of its addresses", DEADLINE, || {
        let held = node.run(&["ls", "/run/flatland/flatland/addresses"]);
        held.is_ok_and(|held| held.is_empty())
    })
}
