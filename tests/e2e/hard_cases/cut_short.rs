//! ADDs that are killed.

use std::thread;

use lab::{DEADLINE, Lab, Node, Result, Runtime, Target, wait_until};
use serde_json::json;
use wire::cni::{Attachment, Version};
use wire::pod_link::host_interface_name;

use crate::support::{Case, Disturbed, lab, wrap_ipam};

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
    let name = host_interface_name("flatland", &attachment);
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

    // For longer than GC looks at what may be left.
    disturb.by(&format!("sendto:delay_enter=2500000:when={number}"))?;
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
fn a_del_or_gc_that_is_killed_at_any_system_call_is_finished_by_the_next() -> Result {
    for verb in ["DEL", "GC"] {
        let lab = lab()?;
        let node = lab.node(1);
        let before = node.traces()?;
        let runtime = Runtime::of(node)?.speaking(Version::V1_1_0);
        let disturb = Disturbed::calls_of(node, verb)?;
        let mut cuts = 0;
        let call = |target: Target<'_>| match verb {
            "DEL" => runtime.del(target, None),
            _ => runtime.gc(&[]),
        };
        for name in ["sendto", "recvfrom", "open", "read", "write", "wait4"] {
            for number in 1.. {
                let cut = format!("{name}:signal=KILL:when={number}");
                let pod = node.sandbox("a")?;
                let attached = runtime.add(pod.target())?;
                disturb.by(&cut)?;
                let outcome = call(pod.target());

                // Whatever of it was done: no address is free while a route leads to the pod.
                let held = node.run(&["ls", "/run/flatland/flatland/addresses"])?;
                for route in node.routes()? {
                    let address = route.split(' ').next().unwrap_or_default();
                    assert!(
                        held.contains(address),
                        "{verb} {cut}: {route}, but only {held}"
                    );
                }
                disturb.not_at_all()?;
                call(pod.target())?;
                assert_eq!(node.traces()?, before, "{verb} {cut}");
                runtime.del(pod.target(), Some(&attached))?;
                pod.vanish()?;
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
fn the_sweep_leaves_an_add_alone_whose_ipam_plugin_takes_its_time() -> Result {
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
        wait_until("host end", DEADLINE, || {
            node.run(&["ip", "link", "show", &slow_end]).is_ok()
        })?;
        // What is cut short later, and gone, shows that the sweep has judged the other.
        let disturb = Disturbed::adds_of(node)?;
        let cut_end = cut_before_the_alias(node, &disturb, cut.target())?;
        let gone = || node.run(&["ip", "link", "show", &cut_end]).is_err();
        wait_until("end of the host end", DEADLINE, gone)?;
        node.write("/run/go", "")?;
        add.join().unwrap()
    })?;
    runtime.check(slow.target(), &attached)
}

/// A node alone whose `routed` sweeps what is left for a second.
fn swept() -> Result<Lab> {
    let mut lab = Lab::builder().etcd(0).start()?;
    let mut conflist = lab.conflist();
    conflist["plugins"][0]["ipam"]["sweepAfter"] = json!(1);
    lab.node_mut(1).set_conflist(&conflist)?;
    lab.node(1).start_routed()?;
    Ok(lab)
}

#[test]
fn the_sweep_removes_what_an_add_left_that_was_cut_short() -> Result {
    let lab = swept()?;
    let node = lab.node(1);
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
