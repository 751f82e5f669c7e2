//! A cluster with a packet filter, and somebody outside of it.

use std::fs;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use lab::probe::{Answer, LISTENING};
use lab::raw::Word;
use lab::{DEADLINE, Daemon, Error, Families, Lab, Machine, Node, Pod, Result, wait_until};
use serde_json::Value;

/// The program that answers and asks, as installed on nodes.
pub(crate) const LAB: &str = "/opt/flatland/lab";

/// A cluster whose `flatland` section says this besides the usual.
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

/// Whether a node's table knows all nodes and the node's subnets: it is there, and the node ready,
/// before they are.
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
    let subnets = node.owned().unwrap_or_default();
    !subnets.is_empty()
        && nodes.all(is_known)
        && subnets.iter().all(|subnet| table.contains(subnet))
}

/// Puts `section` into the `flatland` section of a node's conflist.
pub(crate) fn configure(lab: &mut Lab, number: usize, section: &Value) -> Result {
    let mut conflist = lab.conflist();
    for (key, value) in section.as_object().into_iter().flatten() {
        conflist["plugins"][0][key] = value.clone();
    }
    lab.node_mut(number).set_conflist(&conflist)
}

/// A machine beside the cluster that answers, with the program that `node` has for it.
pub(crate) fn outside(lab: &Lab, host: u8, node: &Node) -> Result<(Machine, Daemon)> {
    let machine = lab.add_stranger(&format!("outside{host}"), host)?;
    fs::copy(node.path(LAB), machine.path(LAB)).map_err(|error| Error::new(error.to_string()))?;
    let server = serve(&machine)?;
    Ok((machine, server))
}

/// Lets a machine answer.
pub(crate) fn serve(machine: &Machine) -> Result<Daemon> {
    let server = machine.spawn("serve", None, &[LAB, "serve"])?;
    listening(&server)?;
    Ok(server)
}

/// Lets a pod answer.
pub(crate) fn serve_in(pod: &Pod<'_>) -> Result<Daemon> {
    let server = pod.spawn("serve", &[LAB, "serve"])?;
    listening(&server)?;
    Ok(server)
}

/// A witness of the words that come in through a pod's interface.
pub(crate) fn hear_in(pod: &Pod<'_>) -> Result<Daemon> {
    let witness = pod.spawn("hear", &[LAB, "hear", "--interface", "eth0"])?;
    listening(&witness)?;
    Ok(witness)
}

/// A witness of the words that come in through a machine's interface or, without one, that a process
/// there gets.
pub(crate) fn hear_on(machine: &Machine, interface: Option<&str>) -> Result<Daemon> {
    let mut command = vec![LAB, "hear"];
    if let Some(interface) = interface {
        command.extend(["--interface", interface]);
    }
    let witness = machine.spawn("hear", None, &command)?;
    listening(&witness)?;
    Ok(witness)
}

/// Lets an attacker in a pod send words, past the pod's own network stack.
pub(crate) fn say(pod: &Pod<'_>, words: &[Word]) -> Result {
    let gateway = pod.result().interfaces[0].mac.clone().unwrap_or_default();
    let mut command = vec![LAB.to_owned(), "say".to_owned(), "--to".to_owned(), gateway];
    command.extend(words.iter().map(ToString::to_string));
    pod.run(&command).map(drop)
}

fn listening(server: &Daemon) -> Result {
    wait_until("server that listens", DEADLINE, || {
        server.log().contains(LISTENING)
    })
}

/// The addresses under which others see a pod that asks them, by TCP and by UDP, one for each.
pub(crate) fn seen(pod: &Pod<'_>, targets: &[IpAddr]) -> Result<Vec<IpAddr>> {
    let mut words = vec![LAB.to_owned(), "ask".to_owned()];
    words.extend(targets.iter().map(ToString::to_string));
    let answers: Vec<Answer> = serde_json::from_str(&pod.run(&words)?).unwrap_or_default();
    answers
        .into_iter()
        .map(|answer| match (&answer.tcp, &answer.udp) {
            (Ok(tcp), Ok(udp)) if tcp == udp => Ok(*tcp),
            _ => Err(Error::new(format!("{} is asked: {answer:?}", pod.name()))),
        })
        .collect()
}

/// Whether a pod reaches all addresses of another.
pub(crate) fn reaches(one: &Pod<'_>, two: &Pod<'_>) -> bool {
    let addresses = two.addresses();
    addresses.iter().all(|address| {
        let ping = one.run_any(&["ping", "-c1", "-W1", &address.to_string()]);
        ping.is_ok_and(|output| output.status.success())
    })
}

/// Our table, as `nft` lists it, without counts; empty if there is none.
pub(crate) fn table(node: &Node) -> String {
    let command = ["nft", "--stateless", "list", "table", "inet", "flatland"];
    node.run(&command).unwrap_or_default()
}

/// Waits until something is as it was, and fails if that takes longer than a second.
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

/// Runs a line of words.
pub(crate) fn run(machine: &Machine, line: &str) -> Result<String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    machine.run(&words)
}

/// Loads rules as `nft -f` reads them.
pub(crate) fn load(machine: &Machine, rules: &str) -> Result {
    let output = machine.run_with(&["nft", "-f", "-"], rules.as_bytes())?;
    output.success().map(drop)
}

/// Does what the log advises about a chain.
pub(crate) fn take_advice(node: &Node, about: &str) -> Result {
    let log = node.routed_log();
    let line = log.lines().rfind(|line| line.contains(about));
    let (_, advice) = line
        .unwrap_or_default()
        .split_once("accept them: ")
        .unwrap_or_default();
    advice
        .split(" && ")
        .try_for_each(|command| run(node, command).map(drop))
}
