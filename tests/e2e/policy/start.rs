//! Before a pod's first packet: what is not decided yet is closed.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use lab::policy::{PodObject, PolicyCluster};
use lab::probe::LISTENING;
use lab::{DEADLINE, Error, Node, Pod, Process, Result, wait_until};
use nix::sys::signal::Signal;
use serde_json::json;

use crate::support::{ALL, LAB, answering, deny, wait_reached};

/// Pods in the test of leaks: on each of its four nodes.
const PODS_PER_NODE: usize = 250;

/// How long each of them sends, in milliseconds: far longer than a decision takes.
const FLOOD_MS: &str = "30";

/// A program in the pod that prints each datagram that arrives.
fn receiver(pod: &Pod<'_>) -> Result<Process> {
    let receiver = pod.spawn("receive", &[LAB, "capture"])?;
    wait_until("receiver", DEADLINE, || receiver.log().contains(LISTENING))?;
    Ok(receiver)
}

fn received(receiver: &Process) -> usize {
    receiver.log().matches("leak").count()
}

/// Creates a pod that sends from its first instruction, and waits until it has ended. The namespace of
/// the pod stays.
fn flood(cluster: &PolicyCluster, number: usize, pod: &PodObject, target: IpAddr) -> Result {
    let node = cluster.node(number);
    cluster.put(&pod.scheduled(node.name()))?;
    let mut sandbox = cluster.sandbox(number, pod)?;
    let words = [LAB, "flood", "--for-ms", FLOOD_MS, &target.to_string()];
    let sender = sandbox.spawn("flood", &words)?;
    sandbox.attach()?;
    wait_until("end of the flood", DEADLINE, || !sender.running())
}

/// Kills and restarts the program until told to end.
fn restart(node: &Node, is_over: &AtomicBool) -> Result {
    let mut signals = [Signal::SIGKILL, Signal::SIGTERM].into_iter().cycle();
    while !is_over.load(Ordering::Relaxed) {
        node.spawn_policy()?;
        wait_until("an answer", DEADLINE, || node.policy_answers())
            .map_err(|error| error.doing(node.policy_log()))?;
        node.end_policy(signals.next().unwrap_or(Signal::SIGTERM))?;
    }
    Ok(())
}

/// Stops the API server and starts it again, each time after as many pods more, until told to end.
fn interrupt(cluster: &PolicyCluster, floods: &AtomicUsize, is_over: &AtomicBool) -> Result {
    let wait = || {
        let start = floods.load(Ordering::Relaxed);
        wait_until("more pods", DEADLINE, || {
            floods.load(Ordering::Relaxed) > start + 20 || is_over.load(Ordering::Relaxed)
        })
    };
    while !is_over.load(Ordering::Relaxed) {
        cluster.cluster.api.stop();
        wait()?;
        cluster.cluster.api.listen()?;
        wait()?;
    }
    Ok(())
}

#[test]
fn pods_that_send_from_their_first_instruction_reach_nobody_whatever_happens_to_the_program()
-> Result {
    let cluster = PolicyCluster::start(4)?;
    cluster.namespace("open", &[])?;
    cluster.namespace("closed", &[])?;
    let target = cluster.pod(1, &PodObject::new("open", "target", &[]))?;
    let address = target.addresses()[0];
    let receiver = receiver(&target)?;
    // Before there is a policy, the same pods do reach it.
    flood(
        &cluster,
        1,
        &PodObject::new("closed", "before", &[]),
        address,
    )?;
    wait_until("datagrams without a policy", DEADLINE, || {
        received(&receiver) > 0
    })?;
    cluster.policy("closed", "deny", &deny(&["Egress"]))?;
    let probe = cluster.pod(2, &PodObject::new("closed", "probe", &[]))?;
    wait_reached(&probe, &target, "")?;

    let before = received(&receiver);
    let (is_over, count) = (AtomicBool::new(false), AtomicUsize::new(0));
    let floods = |number: usize| {
        (0..PODS_PER_NODE).try_for_each(|index| {
            let pod = PodObject::new("closed", &format!("pod-{number}-{index}"), &[]);
            count.fetch_add(1, Ordering::Relaxed);
            flood(&cluster, number, &pod, address)
        })
    };
    thread::scope(|scope| {
        // Undisturbed, restarted and killed, and without the API server for a while.
        let restarts = scope.spawn(|| {
            cluster.node(2).end_policy(Signal::SIGKILL)?;
            restart(cluster.node(2), &is_over)
        });
        let outages = scope.spawn(|| interrupt(&cluster, &count, &is_over));
        let nodes: Vec<_> = (1..=4)
            .map(|number| scope.spawn(move || floods(number)))
            .collect();
        let done: Vec<Result> = nodes.into_iter().map(joined).collect();
        is_over.store(true, Ordering::Relaxed);
        joined(restarts)?;
        joined(outages)?;
        done.into_iter().collect::<Result>()
    })?;
    assert_eq!(
        received(&receiver) - before,
        0,
        "datagrams of isolated pods arrived"
    );
    Ok(())
}

fn joined(thread: thread::ScopedJoinHandle<'_, Result>) -> Result {
    thread
        .join()
        .unwrap_or_else(|_| Err(Error::new("a thread panicked")))
}

#[test]
fn pod_is_closed_until_its_object_is_known_and_then_has_its_rules() -> Result {
    let cluster = PolicyCluster::start(1)?;
    cluster.namespace("shop", &[])?;
    let web = answering(&cluster, 1, &PodObject::new("shop", "web", &[]))?;
    let late = PodObject::new("shop", "late", &[]);
    let attached = cluster.attach(1, &late)?;
    wait_reached(&attached, &web.pod, "")?;
    cluster.put(&late.scheduled("n1"))?;
    wait_reached(&attached, &web.pod, ALL)
}

#[test]
fn pod_that_stays_undecided_is_opened_after_the_configured_time() -> Result {
    let cluster = PolicyCluster::configured(1, &json!({ "failOpenAfter": "1s" }))?;
    cluster.node(1).start_policy()?;
    cluster.namespace("shop", &[])?;
    let web = answering(&cluster, 1, &PodObject::new("shop", "web", &[]))?;
    cluster.policy("shop", "deny", &deny(&["Egress"]))?;
    let late = PodObject::new("shop", "late", &[]);
    let attached = cluster.attach(1, &late)?;
    wait_reached(&attached, &web.pod, ALL)?;
    // Its rules hold as soon as they are known.
    cluster.put(&late.scheduled("n1"))?;
    wait_reached(&attached, &web.pod, "")
}

#[test]
fn pods_that_kubernetes_does_not_know_are_open() -> Result {
    let cluster = PolicyCluster::start(1)?;
    cluster.namespace("shop", &[])?;
    let web = answering(&cluster, 1, &PodObject::new("shop", "web", &[]))?;
    let stranger = cluster.node(1).add_pod("stranger")?;
    wait_reached(&stranger, &web.pod, ALL)
}

#[test]
fn add_says_try_again_until_the_table_stands() -> Result {
    let cluster = PolicyCluster::without_policy_program(1)?;
    cluster.namespace("shop", &[])?;
    let pod = PodObject::new("shop", "web", &[]);
    cluster.put(&pod.scheduled("n1"))?;
    let error = cluster
        .attach(1, &pod)
        .expect_err("no table stands")
        .to_string();
    assert!(
        error.contains("\"code\":11") || error.contains("\"code\": 11"),
        "{error}"
    );
    assert!(error.contains("flatland-policy"), "{error}");
    cluster.node(1).start_policy()?;
    // The same pod, as a runtime calls again.
    cluster.node(1).run(&["ip", "netns", "del", "shop-web"])?;
    cluster.attach(1, &pod).map(drop)
}
