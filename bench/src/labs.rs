//! The labs of the benchmarks, and running parts of the bench program in them.

use lab::{Error, Families, Lab, Machine, Node, Result};
use serde::de::DeserializeOwned;

use crate::{INSIDE, cni, routed, to_error};

/// Nodes of a network with room for 20,000 peers, with the bench program on each.
pub(crate) fn wide_lab(nodes: u8) -> Result<Lab> {
    let mut lab = Lab::builder().nodes(nodes).families(Families::V4).start()?;
    let mut conflist = lab.conflist();
    conflist["plugins"][0]["ipam"]["podCIDRs"] = serde_json::json!([routed::POD_CIDR]);
    for number in 1..=usize::from(nodes) {
        let node = lab.node_mut(number);
        node.set_conflist(&conflist)?;
        node.run(&["ip", "address", "add", routed::WIDE, "dev", "eth0"])?;
        install(node)?;
    }
    install(lab.etcd()[0].machine())?;
    Ok(lab)
}

/// One node with the programs of all contenders.
pub(crate) fn pod_lab() -> Result<Lab> {
    let lab = Lab::builder().families(Families::Dual).start()?;
    let node = lab.node(1);
    install(node)?;
    node.install_plugins(&cni::contender::THEIRS)?;
    // All contenders need it, so the first one should not pay for it.
    node.run(&[
        "sysctl",
        "-qw",
        "net.ipv4.ip_forward=1",
        "net.ipv6.conf.all.forwarding=1",
    ])?;
    Ok(lab)
}

/// Installs the bench program and the contenders' programs on a machine.
pub(crate) fn install(machine: &Machine) -> Result {
    let own = std::env::current_exe().map_err(to_error)?;
    machine.install(&own, INSIDE)?;
    for (name, to) in [
        ("floor", cni::contender::FLOOR),
        ("one-file", cni::addresses::ONE_FILE),
    ] {
        machine.install(&own.with_file_name(name), to)?;
    }
    Ok(())
}

/// Runs a part on a machine and parses its figures.
pub(crate) fn run<T: DeserializeOwned>(node: &Node, arguments: &[&str]) -> Result<T> {
    let mut command = vec![INSIDE];
    command.extend_from_slice(arguments);
    parse(&node.run(&command)?)
}

/// Parses figures.
pub(crate) fn parse<T: DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| Error::new(format!("{error}: {text}")))
}
