//! The contenders of the CNI benchmark, called as a container runtime calls them.

use std::fs;
use std::net::IpAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use lab::probe;
use serde_json::{Value, json};

use super::host::BenchPod;
use super::process::{Called, plugin, run};

/// The path of the `floor` program on the node.
pub(crate) const FLOOR: &str = "/opt/flatland/floor";
/// Plugins of Debian's containernetworking-plugins.
pub(crate) const THEIRS: [&str; 3] = ["ptp", "bridge", "host-local"];

/// The addresses of the node.
const ADDRESSES: [&str; 2] = ["192.168.1.11", "fd00:192:168:1::11"];
/// The data folder of host-local.
const HOST_LOCAL: &str = "/run/host-local";
/// The time limit for a pod's answer to a ping.
const PING_TIMEOUT: Duration = Duration::from_secs(5);

/// A program that attaches pods: a CNI plugin, or the floor.
#[derive(Debug)]
pub(crate) struct Contender {
    /// The name in tables.
    pub(crate) name: String,
    /// Whether its pods have IPv6 in addition to IPv4.
    pub(crate) dual: bool,
    /// Distinguishes its pods and addresses from those of other contenders.
    number: u8,
    kind: ContenderKind,
}

#[derive(Debug)]
enum ContenderKind {
    /// A CNI plugin with its configuration.
    Plugin(Box<Value>),
    /// The floor program.
    Floor,
}

impl Contender {
    /// All contenders; those of the same address families can be compared.
    pub(crate) fn all() -> Vec<Self> {
        let mut all = Vec::new();
        for dual in [false, true] {
            for kind in ["floor", "flatland", "ptp", "bridge"] {
                let number = u8::try_from(all.len()).unwrap_or(u8::MAX);
                all.push(Self::new(kind, dual, number));
            }
        }
        all
    }

    /// The contenders of IPv4, and ours of both families.
    pub(crate) fn v4_and_ours() -> Vec<Self> {
        let mut all = Self::all();
        all.retain(|contender| !contender.dual || contender.is_ours());
        all
    }

    fn new(kind: &str, dual: bool, number: u8) -> Self {
        let families = families(dual);
        let name = match kind {
            "ptp" | "bridge" => format!("{kind} + host-local, {families}"),
            _ => format!("{kind}, {families}"),
        };
        let network = format!("{kind}-{}", if dual { "dual" } else { "v4" });
        let kind = match kind {
            "floor" => ContenderKind::Floor,
            "flatland" => ContenderKind::Plugin(Box::new(flatland_config(&network, dual, number))),
            _ => ContenderKind::Plugin(Box::new(debian_config(kind, &network, dual, number))),
        };
        Self {
            name,
            dual,
            number,
            kind,
        }
    }

    /// The address families of its pods, for tables.
    pub(crate) fn families(&self) -> &'static str {
        families(self.dual)
    }

    /// Whether it is Flatland.
    pub(crate) fn is_ours(&self) -> bool {
        matches!(&self.kind, ContenderKind::Plugin(config) if config["type"] == "flatland")
    }

    /// Whether it is the floor, which only changes the kernel's state.
    pub(crate) fn is_floor(&self) -> bool {
        matches!(self.kind, ContenderKind::Floor)
    }

    /// Makes one call and measures it. `result` is the result of ADD, for DEL and CHECK.
    pub(crate) fn call(&self, verb: &str, pod: &BenchPod, result: &str) -> Result<Called, String> {
        match &self.kind {
            ContenderKind::Floor => run(self.floor(verb, pod), b""),
            ContenderKind::Plugin(config) => {
                let mut config = config.clone();
                if !result.is_empty() {
                    config["prevResult"] =
                        serde_json::from_str(result).map_err(|error| error.to_string())?;
                }
                let kind = config["type"].as_str().unwrap_or_default();
                let command = plugin(kind, verb, pod);
                run(command, config.to_string().as_bytes())
            }
        }
        .map_err(|why| format!("{} {verb} {}: {why}", self.name, pod.name))
    }

    fn floor(&self, verb: &str, pod: &BenchPod) -> Command {
        let mut command = Command::new(FLOOR);
        command.env_clear().arg(verb.to_lowercase());
        command.arg(pod.netns()).arg(pod.floor_link(self.number));
        if verb == "ADD" {
            let addresses = self.floor_addresses(pod);
            let pairs = ADDRESSES.iter().zip(addresses);
            command.args(pairs.map(|(node, pod)| format!("{node},{pod}")));
        }
        command
    }

    fn floor_addresses(&self, pod: &BenchPod) -> Vec<IpAddr> {
        let [high, low] = pod.number.to_be_bytes();
        let v4 = IpAddr::from([10, 230 + self.number, high, low]);
        let v6 = [0xfd00, 0x10, 0x230, self.number.into(), 0, 0, 0, pod.number].into();
        if self.dual { vec![v4, v6] } else { vec![v4] }
    }

    /// The addresses of its pod, if they are known without the result of ADD.
    pub(crate) fn known_addresses(&self, pod: &BenchPod) -> Option<Vec<IpAddr>> {
        self.is_floor().then(|| self.floor_addresses(pod))
    }

    /// Fails unless the node gets an answer from every address of the pod.
    pub(crate) fn ping(&self, pod: &BenchPod, printed: &str) -> Result<(), String> {
        let addresses = match self.known_addresses(pod) {
            Some(addresses) => addresses,
            None => addresses(printed)?,
        };
        let expected = if self.dual { 2 } else { 1 };
        if addresses.len() != expected {
            return Err(format!(
                "{}: {addresses:?} instead of {expected}",
                self.name
            ));
        }
        for address in addresses {
            probe::ping(address, PING_TIMEOUT).map_err(|why| {
                format!(
                    "{} is not measured: its pod {address} does not answer a ping: {why}",
                    self.name
                )
            })?;
        }
        Ok(())
    }

    /// Its configuration, if it is a CNI plugin.
    pub(crate) fn config(&self) -> Option<&Value> {
        match &self.kind {
            ContenderKind::Plugin(config) => Some(config),
            ContenderKind::Floor => None,
        }
    }

    /// Reserves addresses for pods that do not exist, by the IPAM plugin alone.
    pub(crate) fn reserve(&self, pods: &[BenchPod]) -> Result<(), String> {
        self.config().map_or(Ok(()), |config| reserve(config, pods))
    }
}

fn families(dual: bool) -> &'static str {
    if dual { "dual stack" } else { "IPv4" }
}

fn flatland_config(network: &str, dual: bool, number: u8) -> Value {
    let (mut cidrs, mut lengths) = (vec![format!("10.{}.0.0/16", 230 + number)], vec![19]);
    if dual {
        cidrs.push(format!("fd00:10:{}::/56", 230 + u16::from(number)));
        lengths.push(80);
    }
    // As `routed` installs it: with the node's name and addresses.
    json!({
        "cniVersion": "1.0.0", "name": network, "type": "flatland", "nodeAddresses": ADDRESSES,
        "ipam": {
            "type": "flatland-ipam", "nodeName": "n1", "podCIDRs": cidrs, "subnetLengths": lengths,
            "etcd": { "endpoints": ["http://192.168.1.2:2379"] }
        }
    })
}

fn debian_config(kind: &str, network: &str, dual: bool, number: u8) -> Value {
    let mut ranges = vec![json!([{ "subnet": format!("10.{}.0.0/19", 230 + number) }])];
    let mut routes = vec![json!({ "dst": "0.0.0.0/0" })];
    if dual {
        ranges.push(json!([{ "subnet": format!("fd00:10:{}::/80", 230 + u16::from(number)) }]));
        routes.push(json!({ "dst": "::/0" }));
    }
    let mut config = json!({
        "cniVersion": "1.0.0", "name": network, "type": kind, "mtu": 1500,
        "ipam": { "type": "host-local", "dataDir": HOST_LOCAL, "ranges": ranges, "routes": routes }
    });
    if kind == "bridge" {
        config["bridge"] = format!("bench{number}").into();
        config["isGateway"] = true.into();
    }
    config
}

/// Reserves addresses by the IPAM plugin of a configuration.
pub(crate) fn reserve(config: &Value, pods: &[BenchPod]) -> Result<(), String> {
    let ipam = config["ipam"]["type"].as_str().unwrap_or_default();
    if ipam == "host-local" {
        return fill_host_local(config, pods);
    }
    let stdin = config.to_string();
    pods.iter()
        .try_for_each(|pod| run(plugin(ipam, "ADD", pod), stdin.as_bytes()).map(drop))
}

/// Writes the files of host-local directly: by ADD this would take minutes, as the cost of each ADD
/// grows with the number of addresses.
fn fill_host_local(config: &Value, pods: &[BenchPod]) -> Result<(), String> {
    let folder = Path::new(HOST_LOCAL).join(config["name"].as_str().unwrap_or_default());
    fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
    let ranges = config["ipam"]["ranges"].as_array();
    for (index, range) in ranges.into_iter().flatten().enumerate() {
        let subnet = range[0]["subnet"].as_str().unwrap_or_default();
        let network = subnet.split('/').next().unwrap_or_default();
        let network: IpAddr = network
            .parse()
            .map_err(|_| format!("not a subnet: {subnet}"))?;
        let mut last = network;
        for pod in pods {
            // The first address is the gateway's.
            last = nth(network, pod.number + 2);
            fs::write(
                folder.join(last.to_string()),
                format!("{}\r\neth0", pod.container()),
            )
            .map_err(|error| error.to_string())?;
        }
        let note = folder.join(format!("last_reserved_ip.{index}"));
        fs::write(note, last.to_string()).map_err(|error| error.to_string())?;
    }
    Ok(())
}

fn nth(network: IpAddr, number: u16) -> IpAddr {
    match network {
        IpAddr::V4(v4) => IpAddr::V4((v4.to_bits() + u32::from(number)).into()),
        IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() + u128::from(number)).into()),
    }
}

/// The addresses in a result.
pub(crate) fn addresses(printed: &str) -> Result<Vec<IpAddr>, String> {
    let result: Value = serde_json::from_str(printed).map_err(|error| error.to_string())?;
    let ips = result["ips"].as_array().into_iter().flatten();
    ips.map(|ip| {
        let text = ip["address"].as_str().unwrap_or_default();
        let address = text.split('/').next().unwrap_or_default();
        address
            .parse()
            .map_err(|_| format!("not an address: {text}"))
    })
    .collect()
}
