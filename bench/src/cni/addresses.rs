//! What an address costs with none, few and thousands in use: the IPAM plugins alone.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::contender::{Contender, reserve};
use super::host::Pod;
use super::latency::Measured;
use super::process::{Called, plugin, run, run_to_fail};
use super::turns::order;
use crate::figures::Samples;

/// How many addresses are in use while one more is given out and taken back.
const IN_USE: [u16; 3] = [0, 250, 4000];

/// Where `one-file` is on the node: our IPAM plugin with all that claims linked in.
pub(crate) const ONE_FILE: &str = "/opt/cni/bin/one-file";

/// How many addresses for pods two /21 have: all but the networks', the node's and broadcast.
const OF_TWO_21: u16 = 4090;

/// What was measured.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Addresses {
    /// One more address.
    pub(crate) rows: Vec<Row>,
    /// STATUS of ours where none is free.
    pub(crate) full: Vec<Full>,
}

/// One IPAM plugin with so many addresses in use.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) plugin: String,
    pub(crate) in_use: usize,
    pub(crate) add: Samples,
    pub(crate) del: Samples,
    /// Of an ADD, processor time, and pages that the kernel had to map one by one.
    pub(crate) cpu: Samples,
    pub(crate) faults: Samples,
}

/// One whose network is full: every address is in use, and there is no further subnet.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Full {
    pub(crate) plugin: String,
    pub(crate) in_use: usize,
    pub(crate) status: Samples,
}

/// An IPAM plugin with a network of its own.
struct Ipam {
    /// What it is called in tables.
    name: String,
    kind: String,
    config: Value,
}

/// Times all of them in turn, whatever is in use, so that they see the same machine; a round before
/// the first is not counted.
pub(crate) fn measure(rounds: usize) -> Result<Addresses, String> {
    let mut timed = Vec::new();
    for in_use in IN_USE {
        for ipam in Ipam::all(&in_use.to_string()) {
            ipam.fill(in_use)?;
            timed.push((in_use, ipam, Measured::default(), Measured::default()));
        }
    }
    let pod = Pod::unmade("one-more", 0);
    let count = timed.len();
    for round in 0..=rounds {
        for index in order(round, count) {
            let (_, ipam, adds, dels) = &mut timed[index];
            adds.call(round > 0, || ipam.call("ADD", &pod))?;
            dels.call(round > 0, || ipam.call("DEL", &pod))?;
        }
    }
    let rows = timed.into_iter().map(|(in_use, ipam, add, del)| Row {
        plugin: ipam.name,
        in_use: in_use.into(),
        add: add.latency.into_iter().collect(),
        del: del.latency.into_iter().collect(),
        cpu: add.cpu.into_iter().collect(),
        faults: add.faults.into_iter().collect(),
    });
    Ok(Addresses {
        rows: rows.collect(),
        full: full(rounds)?,
    })
}

/// Times STATUS where it has to look at every address to say that none is free.
fn full(rounds: usize) -> Result<Vec<Full>, String> {
    let ours = Ipam::all("full").into_iter().filter(Ipam::is_ours);
    ours.map(|mut ipam| {
        ipam.narrow();
        ipam.fill(OF_TWO_21)?;
        // That there is no further subnet is known from when an ADD wanted one.
        ipam.refused("ADD")?;
        let calls = (0..=rounds).map(|_| ipam.refused("STATUS"));
        let calls = calls.skip(1).collect::<Result<Vec<_>, _>>()?;
        Ok(Full {
            plugin: ipam.name,
            in_use: OF_TWO_21.into(),
            status: calls.into_iter().map(|call| call.elapsed).collect(),
        })
    })
    .collect()
}

impl Ipam {
    /// Those of the contenders, each once, with networks of this name; and each of ours in one file with
    /// what claims, which works in the same network after it.
    fn all(network: &str) -> Vec<Self> {
        let of = |contender: Contender| {
            let mut config = contender.config()?.clone();
            let kind = config["ipam"]["type"].as_str()?.to_owned();
            let family = if contender.dual { "dual" } else { "v4" };
            config["name"] = format!("{kind}-{family}-{network}").into();
            Some(Self {
                name: format!("{kind}, {}", contender.families()),
                kind,
                config,
            })
        };
        let mut all: Vec<Self> = Contender::all().into_iter().filter_map(of).collect();
        // What uses the same IPAM plugin in the same way differs by what is not asked here.
        all.dedup_by_key(|ipam| ipam.name.clone());
        let in_one_file = |ipam: Self| {
            let other = ipam.is_ours().then(|| Self {
                name: ipam
                    .name
                    .replace("flatland-ipam", "with the etcd client in it"),
                kind: "one-file".to_owned(),
                config: ipam.config.clone(),
            });
            [Some(ipam), other].into_iter().flatten()
        };
        all.into_iter().flat_map(in_one_file).collect()
    }

    fn is_ours(&self) -> bool {
        self.kind == "flatland-ipam"
    }

    /// Gives its network two subnets of 2,048 addresses of each family, and no more.
    fn narrow(&mut self) {
        let cidrs = self.config["ipam"]["podCIDRs"].as_array_mut();
        let mut lengths: Vec<u8> = Vec::new();
        for cidr in cidrs.into_iter().flatten() {
            let text = cidr.as_str().unwrap_or_default();
            let network = text.split('/').next().unwrap_or_default();
            let length = if text.contains(':') { 116 } else { 20 };
            lengths.push(length + 1);
            *cidr = format!("{network}/{length}").into();
        }
        self.config["ipam"]["subnetLengths"] = json!(lengths);
    }

    fn fill(&self, in_use: u16) -> Result<(), String> {
        if self.kind == "one-file" {
            // The plugin whose it is has filled it.
            return Ok(());
        }
        let pods: Vec<Pod> = (0..in_use).map(|pod| Pod::unmade("full", pod)).collect();
        reserve(&self.config, &pods)
    }

    fn call(&self, verb: &str, pod: &Pod) -> Result<Called, String> {
        let stdin = self.config.to_string();
        run(plugin(&self.kind, verb, pod), stdin.as_bytes())
            .map_err(|why| format!("{} {verb} {}: {why}", self.name, pod.name))
    }

    fn refused(&self, verb: &str) -> Result<Called, String> {
        let mut config = self.config.clone();
        // STATUS is of this version.
        config["cniVersion"] = "1.1.0".into();
        let command = plugin(&self.kind, verb, &Pod::unmade("one-too-many", 0));
        run_to_fail(command, config.to_string().as_bytes())
            .map_err(|why| format!("{} {verb} without a free address: {why}", self.name))
    }
}
