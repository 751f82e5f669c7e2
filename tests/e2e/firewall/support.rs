//! A cluster with a packet filter, and machines outside of it.

use std::fs;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use lab::probe::{LISTENING, ProbeAnswer};
use lab::raw::Datagram;
use lab::{DEADLINE, Error, Families, Lab, Machine, Node, Pod, Process, Result, wait_until};
use serde_json::Value;

/// The probe program, as installed on nodes.
pub(crate) const LAB: &str = "/opt/flatland/lab";

/// A cluster with these keys in the `flatland` section of its conflist.
pub(crate) fn raise(nodes: u8, families: Families, section: &Value) -> Result<Lab> {
    let mut lab = Lab::builder().nodes(nodes).families(families).start()?;
    for number in 1..=usize::from(nodes) {
        configure(&mut lab, number, section)?;
    }
    lab.start_routed()?;
    lab.wait_routes()?;
    if section["ipMasq"] == true {
        wait_until("all of each node's table", DEADLINE, || {
            lab.nodes().iter().all(|node| is_whole(&lab, node))
        })?;
    }
    Ok(lab)
}

/// Whether a node's table contains all nodes and the node's own subnets: the table exists, and the
/// node is ready, before that.
fn is_whole(lab: &Lab, node: &Node) -> bool {
    let table = table(node);
    let mut nodes = lab.nodes().iter().flat_map(|node| node.addresses());
    let is_known = |address: &IpAddr| {
        let set = if address.is_ipv4() {
            "nodes4"
        } else {
            "nodes6"
        };
        !table.contains(set) || table.contains(&address.to_string())
    };
    let subnets = node.owned_subnets().unwrap_or_default();
    !subnets.is_empty()
        && nodes.all(is_known)
        && subnets.iter().all(|subnet| table.contains(subnet))
}

/// Merges `section` into the `flatland` section of a node's conflist.
pub(crate) fn configure(lab: &mut Lab, number: usize, section: &Value) -> Result {
    let mut conflist = lab.conflist();
    for (key, value) in section.as_object().into_iter().flatten() {
        conflist["plugins"][0][key] = value.clone();
    }
    lab.node_mut(number).set_conflist(&conflist)
}

/// A machine outside of the cluster that runs a probe server, with the probe program of `node`.
pub(crate) fn outside(lab: &Lab, host: u8, node: &Node) -> Result<(Machine, Process)> {
    let machine = lab.add_external_machine(&format!("outside{host}"), host)?;
    fs::copy(node.path(LAB), machine.path(LAB)).map_err(|error| Error::new(error.to_string()))?;
    let server = serve(&machine)?;
    Ok((machine, server))
}

/// Starts a probe server on a machine.
pub(crate) fn serve(machine: &Machine) -> Result<Process> {
    let server = machine.spawn("serve", None, &[LAB, "serve"])?;
    listening(&server)?;
    Ok(server)
}

/// Starts a probe server in a pod.
pub(crate) fn serve_in(pod: &Pod<'_>) -> Result<Process> {
    let server = pod.spawn("serve", &[LAB, "serve"])?;
    listening(&server)?;
    Ok(server)
}

/// Captures the datagrams that arrive on a pod's interface.
pub(crate) fn capture_in(pod: &Pod<'_>) -> Result<Process> {
    let capture = pod.spawn("capture", &[LAB, "capture", "--interface", "eth0"])?;
    listening(&capture)?;
    Ok(capture)
}

/// Captures the datagrams that arrive on a machine's interface or, without one, those that a UDP
/// socket there receives.
pub(crate) fn capture_on(machine: &Machine, interface: Option<&str>) -> Result<Process> {
    let mut command = vec![LAB, "capture"];
    if let Some(interface) = interface {
        command.extend(["--interface", interface]);
    }
    let capture = machine.spawn("capture", None, &command)?;
    listening(&capture)?;
    Ok(capture)
}

/// Sends datagrams from a pod in handmade frames, which bypass the pod's network stack.
pub(crate) fn send_frames(pod: &Pod<'_>, words: &[Datagram]) -> Result {
    let gateway = pod.result().interfaces[0].mac.clone().unwrap_or_default();
    let mut command = vec![
        LAB.to_owned(),
        "send-frames".to_owned(),
        "--to".to_owned(),
        gateway,
    ];
    command.extend(words.iter().map(ToString::to_string));
    pod.run(&command).map(drop)
}

fn listening(server: &Process) -> Result {
    wait_until("server that listens", DEADLINE, || {
        server.log().contains(LISTENING)
    })
}

/// The source addresses that the targets see of a pod, by TCP and by UDP, one for each target.
pub(crate) fn seen(pod: &Pod<'_>, targets: &[IpAddr]) -> Result<Vec<IpAddr>> {
    let mut words = vec![LAB.to_owned(), "query".to_owned()];
    words.extend(targets.iter().map(ToString::to_string));
    let answers: Vec<ProbeAnswer> = serde_json::from_str(&pod.run(&words)?).unwrap_or_default();
    answers
        .into_iter()
        .map(|answer| match (&answer.tcp, &answer.udp) {
            (Ok(tcp), Ok(udp)) if tcp == udp => Ok(*tcp),
            _ => Err(Error::new(format!("query of {}: {answer:?}", pod.name()))),
        })
        .collect()
}

/// Whether a pod reaches all addresses of another pod.
pub(crate) fn reaches(one: &Pod<'_>, two: &Pod<'_>) -> bool {
    let addresses = two.addresses();
    addresses.iter().all(|address| {
        let ping = one.try_run(&["ping", "-c1", "-W1", &address.to_string()]);
        ping.is_ok_and(|output| output.status.success())
    })
}

/// Table inet flatland as `nft` lists it, without counters; empty if it does not exist.
pub(crate) fn table(node: &Node) -> String {
    let command = ["nft", "--stateless", "list", "table", "inet", "flatland"];
    node.run(&command).unwrap_or_default()
}

/// Waits until a condition holds again; an error if that takes longer than a second.
pub(crate) fn back_within_a_second(
    node: &Node,
    what: &str,
    mut is_back: impl FnMut() -> bool,
) -> Result {
    let start = Instant::now();
    wait_until(what, DEADLINE, &mut is_back).map_err(|error| error.doing(node.routed_log()))?;
    let took = start.elapsed();
    assert!(took < Duration::from_secs(1), "{what} took {took:?}");
    Ok(())
}

/// Runs a command line, split at blanks.
pub(crate) fn run(machine: &Machine, line: &str) -> Result<String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    machine.run(&words)
}

/// Loads rules with `nft -f`.
pub(crate) fn load(machine: &Machine, rules: &str) -> Result {
    let output = machine.run_with(&["nft", "-f", "-"], rules.as_bytes())?;
    output.success().map(drop)
}

/// Runs the commands that the log suggests about a chain.
pub(crate) fn apply_cure(node: &Node, about: &str) -> Result {
    let log = node.routed_log();
    let line = log.lines().rfind(|line| line.contains(about));
    let (_, advice) = line
        .unwrap_or_default()
        .split_once("accept them there: ")
        .unwrap_or_default();
    advice
        .split(" && ")
        .try_for_each(|command| run(node, command).map(drop))
}
