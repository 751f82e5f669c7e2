//! A node of a large cluster: what the program keeps of objects that do not concern its pods, and
//! what their changes cost.

use std::fs;
use std::time::{Duration, Instant};

use lab::policy::{PodObject, PolicyCluster};
use lab::{DEADLINE, Error, Node, Result, wait_until};
use nix::time::{ClockId, clock_getcpuclockid};
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::support::{deny, pods};

const PODS: usize = 8_000;
const NAMESPACES: usize = 32;
const POLICIES: usize = 320;
/// Distinct values of the label `app` in a namespace.
const APPS: usize = 10;
/// Of other pods, as a large cluster has them each second: their status changes.
const CHANGES: usize = 100;

/// Of `flatland-policy` for each pod of the cluster, in bytes, at most: 50,000 pods have to stay below
/// 150 MiB with the program, which has 10 MiB itself.
const MAX_BYTES_PER_POD: u64 = 2_000;
/// What it has at most besides, in bytes: a page of the list as it is read, threads and buffers.
const MAX_BESIDES: u64 = 12 << 20;

fn namespace(number: usize) -> String {
    format!("tenant-{}", number % NAMESPACES)
}

/// A pod on some other node, with labels and a spec as those of a `Deployment` have.
fn other_pod(number: usize, restarts: usize) -> Value {
    let app = format!("app-{}", number / NAMESPACES % APPS);
    let object = PodObject::new(
        &namespace(number),
        &format!("{app}-7c9d8f6b54-{number:05}"),
        &[
            ("app", &app),
            ("app.kubernetes.io/instance", &app),
            ("pod-template-hash", "7c9d8f6b54"),
        ],
    );
    let (high, low) = (number / 250, number % 250 + 1);
    let v4 = format!("10.{}.{}.{low}", 64 + high / 250, high % 250);
    let v6 = format!("fd00:10:64::{number:x}");
    let addresses = [v4, v6].map(|text| text.parse().expect("an address"));
    let mut pod = object.running(&format!("other-{}", number % 500), &addresses);
    pod["spec"]["containers"][0]["env"] =
        json!([{ "name": "SETTINGS", "value": "x".repeat(1_500) }]);
    pod["status"]["containerStatuses"] = json!([{ "name": "main", "restartCount": restarts }]);
    pod
}

/// The data of `flatland-policy` in KiB, which are not the program itself: the most so far
/// (`VmHWM` in proc(5) without `RssFile`) and now (`RssAnon`).
fn memory(node: &Node) -> Result<(u64, u64)> {
    let status = format!("/proc/{}/status", node.policy_pid()?);
    let text = fs::read_to_string(&status).map_err(|why| Error::new(format!("{status}: {why}")))?;
    let field = |key: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(key));
        let size = line.and_then(|line| line.trim().strip_suffix(" kB"));
        let size = size.and_then(|size| size.parse::<u64>().ok());
        size.ok_or_else(|| Error::new(format!("no {key} in {status}")))
    };
    let peak = field("VmHWM:")?.saturating_sub(field("RssFile:")?);
    Ok((peak, field("RssAnon:")?))
}

/// The processor time of all threads of `flatland-policy`.
fn processor_time(node: &Node) -> Result<Duration> {
    let pid = i32::try_from(node.policy_pid()?).map_err(|why| Error::new(why.to_string()))?;
    let time = clock_getcpuclockid(Pid::from_raw(pid)).and_then(ClockId::now);
    time.map(Into::into)
        .map_err(|why| Error::new(why.to_string()))
}

/// Namespaces, pods and policies of the cluster.
fn fill(cluster: &PolicyCluster) -> Result {
    for number in 0..NAMESPACES {
        cluster.namespace(&namespace(number), &[("tenant", "yes")])?;
    }
    for number in 0..POLICIES {
        let app = |number: usize| format!("app-{}", number / NAMESPACES % APPS);
        let spec = json!({
            "podSelector": { "matchLabels": { "app": app(number) } },
            "ingress": [{
                "from": [
                    pods("app", &app(number + NAMESPACES)),
                    { "namespaceSelector": { "matchLabels": { "kubernetes.io/metadata.name": namespace(number + 1) } } },
                    { "ipBlock": { "cidr": "192.0.2.0/24", "except": ["192.0.2.128/25"] } },
                ],
                "ports": [{ "port": 5432 }, { "port": "http", "protocol": "TCP" }],
            }],
        });
        cluster.policy(&namespace(number), &format!("allow-{number}"), &spec)?;
    }
    (0..PODS).try_for_each(|number| cluster.put(&other_pod(number, 0)))
}

#[test]
fn node_of_a_large_cluster_keeps_little_of_its_pods() -> Result {
    let cluster = PolicyCluster::without_policy_program(1)?;
    fill(&cluster)?;
    let node = cluster.node(1);
    let began = Instant::now();
    node.spawn_policy()?;
    wait_until("rules of a large cluster", 6 * DEADLINE, || {
        node.policy_is_ready()
    })
    .map_err(|error| error.doing(node.policy_log()))?;
    let (start, work) = (began.elapsed(), processor_time(node)?);
    for number in 0..4 {
        let pod = PodObject::new(&namespace(number), "own", &[("app", "app-0")]);
        let attached = cluster.pod(1, &pod)?;
        wait_until("a pod that is decided", DEADLINE, || {
            let rules = node.policy_command(&["rules"]);
            rules.is_ok_and(|it| it.stdout.contains(&attached.addresses()[0].to_string()))
        })
        .map_err(|error| error.doing(node.policy_log()))?;
    }

    let before = processor_time(node)?;
    for number in 0..CHANGES {
        cluster.put(&other_pod(number, 1))?;
    }
    // Once this is in the rules, so are the changes before it.
    cluster.policy(&namespace(0), "later", &deny(&["Ingress"]))?;
    wait_until("the last policy", DEADLINE, || {
        let rules = node.policy_command(&["rules"]);
        rules.is_ok_and(|it| it.stdout.contains("later"))
    })
    .map_err(|error| error.doing(node.policy_log()))?;
    let changes = processor_time(node)?.saturating_sub(before);
    let (peak, now) = memory(node)?;
    println!(
        "{PODS} pods, {POLICIES} policies: ready after {start:?} with {work:?} of processor time; \
         {peak} KiB at most, {now} KiB at the end; {changes:?} for {CHANGES} changes"
    );
    let each = (peak * 1024).saturating_sub(MAX_BESIDES) / PODS as u64;
    assert!(each < MAX_BYTES_PER_POD, "{each} bytes for each pod");
    // As released, 1 % of a core would be 100 ms for ten seconds of such changes.
    assert!(changes < Duration::from_secs(2), "{changes:?}");
    Ok(())
}
