//! A cluster with the shipped conflist, for container runtimes.

use std::net::IpAddr;

use lab::containers::Container;
use lab::probe::PORT;
use lab::{DEADLINE, Lab, Node, Result, wait_until};
use serde_json::Value;

/// The command of a container that runs a probe server.
pub(crate) const SERVE: [&str; 2] = ["/lab", "serve"];
/// The command of a container that holds its namespaces for others.
pub(crate) const PAUSE: [&str; 2] = ["/bin/sleep", "1d"];

/// Nodes on which `routed` has installed the shipped conflist.
pub(crate) fn cluster(nodes: u8) -> Result<Lab> {
    let lab = Lab::builder().nodes(nodes).start()?;
    let conflist = lab.shipped_conflist()?;
    started(lab, &conflist)
}

/// As [`cluster`], with another lab and conflist.
pub(crate) fn started(mut lab: Lab, conflist: &Value) -> Result<Lab> {
    for number in 1..=lab.nodes().len() {
        lab.node_mut(number).set_conflist(conflist)?;
        lab.node(number)
            .install_plugins(&["portmap", "bandwidth"])?;
    }
    lab.start_routed()?;
    lab.wait_routes()?;
    Ok(lab)
}

/// Waits until probe servers answer at these addresses.
pub(crate) fn wait_served(from: &Container<'_>, targets: &[IpAddr]) -> Result {
    wait_until(format!("answer of {targets:?}"), DEADLINE, || {
        from.place().seen_by(targets, PORT).is_ok()
    })
}

/// Waits until a node's attachment state is as it was.
pub(crate) fn wait_back(node: &Node, before: &[String]) -> Result {
    let back = || node.attachment_state().is_ok_and(|state| state == before);
    wait_until("the former attachment state", DEADLINE, back)
        .map_err(|error| error.doing(format!("{:#?} is not {before:#?}", node.attachment_state())))
}
