//! The lab of the data path benchmark: pairs of nodes on one switch, one pair for each kind of
//! network.

use std::net::IpAddr;
use std::time::Duration;

use lab::{Error, Families, Lab, Node, Pod, Process, Result, wait_for};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::probe::Answers;
use crate::INSIDE;
use crate::figures::Samples;
use crate::labs::parse;

/// The time limit for the start of an iperf3 server.
const SERVER_START_TIMEOUT: Duration = Duration::from_secs(10);

/// One path between two places.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct MeasuredPath {
    pub(crate) contender: String,
    /// Whether it leads to another node.
    pub(crate) across: bool,
    /// TCP throughput in bits a second, of several runs.
    pub(crate) throughput: Samples,
    /// Medians of the round trips of several runs, in nanoseconds.
    pub(crate) median: Samples,
    pub(crate) p99: Samples,
    /// Connections a second, of several runs.
    pub(crate) connections: Samples,
}

/// The kinds of networks, with two nodes each.
const PAIRS: [&str; 4] = ["flatland", "ptp", "bridge", "host"];

/// A place that packets come from or go to.
enum TrafficEnd<'a> {
    Node(&'a Node),
    Pod(Box<Pod<'a>>),
}

/// Measures every path `rounds` times, in turn.
pub(crate) fn measure(rounds: usize) -> Result<Vec<MeasuredPath>> {
    let lab = Lab::builder().nodes(8).families(Families::V4).start()?;
    for (number, node) in lab.nodes().iter().enumerate() {
        crate::labs::install(node)?;
        prepare(&lab, number / 2, number)?;
    }
    for number in [1, 2] {
        lab.node(number).wait_ready()?;
    }
    let mut ways = Vec::new();
    for (pair, contender) in PAIRS.iter().enumerate() {
        let (here, there) = (lab.node(2 * pair + 1), lab.node(2 * pair + 2));
        if *contender == "host" {
            ways.push((
                *contender,
                true,
                TrafficEnd::Node(here),
                TrafficEnd::Node(there),
            ));
            continue;
        }
        ways.push((
            *contender,
            false,
            TrafficEnd::pod(here, "a")?,
            TrafficEnd::pod(here, "b")?,
        ));
        ways.push((
            *contender,
            true,
            TrafficEnd::pod(here, "c")?,
            TrafficEnd::pod(there, "d")?,
        ));
    }
    let mut servers = Vec::new();
    for (.., to) in &ways {
        servers.push(to.spawn("serve", &[INSIDE, "serve"])?);
        servers.push(to.spawn("iperf3", &["iperf3", "-s"])?);
    }
    for (.., from, _) in &ways {
        // Otherwise ports run out: each stays in TIME-WAIT for a minute after its connection.
        from.run(&["sysctl", "-qw", "net.ipv4.tcp_tw_reuse=1"])?;
    }
    let mut figures: Vec<[Vec<u64>; 4]> = ways.iter().map(|_| Default::default()).collect();
    for _ in 0..rounds {
        for ((name, _, from, to), figures) in ways.iter().zip(&mut figures) {
            let sample = sample(from, to.address()?)
                .map_err(|why| Error::new(format!("{name} is not measured: {why}")))?;
            figures
                .iter_mut()
                .zip(sample)
                .for_each(|(all, one)| all.push(one));
        }
    }
    drop(servers);
    let paths = ways
        .iter()
        .zip(figures)
        .map(|((contender, across, ..), figures)| {
            let [throughput, median, p99, connections] =
                figures.map(|all| all.into_iter().collect());
            MeasuredPath {
                contender: (*contender).to_owned(),
                across: *across,
                throughput,
                median,
                p99,
                connections,
            }
        });
    Ok(paths.collect())
}

/// Configures a node as one of its pair.
fn prepare(lab: &Lab, pair: usize, number: usize) -> Result {
    let (kind, node) = (PAIRS[pair], &lab.nodes()[number]);
    match kind {
        "flatland" => return node.spawn_routed(&[]),
        "host" => return Ok(()),
        _ => {}
    }
    node.install_plugins(&crate::cni::contender::THEIRS)?;
    node.run(&["sysctl", "-qw", "net.ipv4.ip_forward=1"])?;
    let conflist = debian_config(kind, number);
    node.write("/etc/cni/net.d/10-theirs.conflist", conflist.to_string())?;
    // The routes to the other node's pods that an operator or a routing daemon would add.
    let other = number ^ 1;
    let via = lab.nodes()[other].addresses()[0].to_string();
    node.run(&["ip", "route", "add", &subnet(other), "via", &via])
        .map(drop)
}

fn subnet(number: usize) -> String {
    format!("10.99.{number}.0/24")
}

fn debian_config(kind: &str, number: usize) -> Value {
    let mut plugin = json!({
        "type": kind, "mtu": 1500,
        "ipam": {
            "type": "host-local", "dataDir": "/run/host-local", "ranges": [[{ "subnet": subnet(number) }]],
            "routes": [{ "dst": "0.0.0.0/0" }]
        }
    });
    if kind == "bridge" {
        plugin["bridge"] = "pods".into();
        plugin["isGateway"] = true.into();
    }
    json!({ "cniVersion": "1.0.0", "name": kind, "plugins": [plugin] })
}

/// Throughput in bits a second, median and p99 of a round trip in nanoseconds, connections a second.
fn sample(from: &TrafficEnd<'_>, to: IpAddr) -> Result<[u64; 4]> {
    let to = to.to_string();
    // The time of each measurement in seconds: many short runs in turn are better than few long
    // ones, as the machine's speed varies.
    let short = "1";
    from.run(&[INSIDE, "ping", &to])?;
    let iperf = ["iperf3", "-c", &to, "-t", short, "-O", "1", "-J"];
    let text = wait_for("iperf3 server", SERVER_START_TIMEOUT, || {
        from.run(&iperf).ok()
    })?;
    let report: Value = parse(&text)?;
    let bits = report["end"]["sum_received"]["bits_per_second"].as_f64();
    let bits = bits.ok_or_else(|| Error::new(format!("iperf3 printed {text}")))?;
    let answers: Answers = parse(&from.run(&[INSIDE, "query", &to, short])?)?;
    let trips = &answers.round_trips;
    Ok([
        whole(bits),
        trips.median(),
        trips.percentile(99),
        whole(answers.connections_per_second),
    ])
}

/// The whole part of a positive rate.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a positive rate"
)]
pub(crate) fn whole(figure: f64) -> u64 {
    figure as u64
}

impl<'a> TrafficEnd<'a> {
    fn pod(node: &'a Node, name: &str) -> Result<Self> {
        Ok(Self::Pod(Box::new(node.add_pod(name)?)))
    }

    fn address(&self) -> Result<IpAddr> {
        let addresses = match self {
            Self::Node(node) => node.addresses().to_vec(),
            Self::Pod(pod) => pod.addresses(),
        };
        addresses
            .first()
            .copied()
            .ok_or_else(|| Error::new("a place without an address"))
    }

    fn run(&self, command: &[&str]) -> Result<String> {
        match self {
            Self::Node(node) => node.run(command),
            Self::Pod(pod) => pod.run(command),
        }
    }

    fn spawn(&self, log: &str, command: &[&str]) -> Result<Process> {
        match self {
            Self::Node(node) => node.spawn(log, None, command),
            Self::Pod(pod) => pod.spawn(log, command),
        }
    }
}
