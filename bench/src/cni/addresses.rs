//! Cost of an address with no, few and thousands of addresses in use: the IPAM plugins alone.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::contender::{Contender, reserve};
use super::host::BenchPod;
use super::latency::Measured;
use super::order::order;
use super::process::{Called, plugin, run, run_to_fail};
use crate::figures::Samples;

/// The numbers of addresses in use while one more is reserved and released.
const IN_USE: [u16; 3] = [0, 250, 4000];

/// The path of `one-file` on the node: our IPAM plugin with the claiming code linked in.
pub(crate) const ONE_FILE: &str = "/opt/cni/bin/one-file";

/// The pod addresses of two /21 subnets: without network, broadcast and node addresses.
const OF_TWO_21: u16 = 4090;

/// The results.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Addresses {
    /// One more address.
    pub(crate) rows: Vec<AddressRow>,
    /// STATUS of our plugin without a free address.
    pub(crate) full: Vec<Full>,
}

/// One IPAM plugin with this number of addresses in use.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct AddressRow {
    pub(crate) plugin: String,
    pub(crate) in_use: usize,
    pub(crate) add: Samples,
    pub(crate) del: Samples,
    /// Processor time of an ADD, and page faults of an ADD.
    pub(crate) cpu: Samples,
    pub(crate) faults: Samples,
}

/// A plugin whose addresses are all in use, without a further subnet to claim.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Full {
    pub(crate) plugin: String,
    pub(crate) in_use: usize,
    pub(crate) status: Samples,
}

/// An IPAM plugin with its own network.
struct MeasuredIpam {
    /// The name in tables.
    name: String,
    kind: String,
    config: Value,
}

/// Measures all plugins in turn at each number of addresses, so that they run on the same state of
/// the machine. A warm-up round is not counted.
pub(crate) fn measure(rounds: usize) -> Result<Addresses, String> {
    let mut timed = Vec::new();
    for in_use in IN_USE {
        for ipam in MeasuredIpam::all(&in_use.to_string()) {
            ipam.fill(in_use)?;
            timed.push((in_use, ipam, Measured::default(), Measured::default()));
        }
    }
    let pod = BenchPod::without_netns("one-more", 0);
    let count = timed.len();
    for round in 0..=rounds {
        for index in order(round, count) {
            let (_, ipam, adds, dels) = &mut timed[index];
            adds.call(round > 0, || ipam.call("ADD", &pod))?;
            dels.call(round > 0, || ipam.call("DEL", &pod))?;
        }
    }
    let rows = timed
        .into_iter()
        .map(|(in_use, ipam, add, del)| AddressRow {
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

/// Measures STATUS when it must look at every address to report that none is free.
fn full(rounds: usize) -> Result<Vec<Full>, String> {
    let ours = MeasuredIpam::all("full")
        .into_iter()
        .filter(MeasuredIpam::is_ours);
    ours.map(|mut ipam| {
        ipam.narrow();
        ipam.fill(OF_TWO_21)?;
        // A failed ADD records that there is no further subnet.
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

impl MeasuredIpam {
    /// The IPAM plugins of the contenders without duplicates, with networks of this name. Each of
    /// ours is followed by the `one-file` variant of it, in the same network.
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
        // Contenders with the same use of the same IPAM plugin do not differ here.
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

    /// Limits its network to two subnets of 2,048 addresses for each family.
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
            // `one-file` shares the network that our plugin has filled.
            return Ok(());
        }
        let pods: Vec<BenchPod> = (0..in_use)
            .map(|pod| BenchPod::without_netns("full", pod))
            .collect();
        reserve(&self.config, &pods)
    }

    fn call(&self, verb: &str, pod: &BenchPod) -> Result<Called, String> {
        let stdin = self.config.to_string();
        run(plugin(&self.kind, verb, pod), stdin.as_bytes())
            .map_err(|why| format!("{} {verb} {}: {why}", self.name, pod.name))
    }

    fn refused(&self, verb: &str) -> Result<Called, String> {
        let mut config = self.config.clone();
        // STATUS requires this version.
        config["cniVersion"] = "1.1.0".into();
        let command = plugin(
            &self.kind,
            verb,
            &BenchPod::without_netns("one-too-many", 0),
        );
        run_to_fail(command, config.to_string().as_bytes())
            .map_err(|why| format!("{} {verb} without a free address: {why}", self.name))
    }
}
