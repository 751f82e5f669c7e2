//! Helpers of the outage tests.

use std::time::Duration;

use lab::{DEADLINE, Lab, Machine, Node, Pod, Result, wait_until};
use nix::sys::signal::Signal;

/// The longest time of a recovery after an outage, on a busy machine.
pub(crate) const RECOVERY_TIMEOUT: Duration = Duration::from_secs(15);

/// What `routed` logs once for each outage of the registry, and for its end.
pub(crate) const OUTAGE_LOG: &str = "the registry is out of reach";
pub(crate) const RECOVERY_LOG: &str = "the registry is back";

pub(crate) fn raise(nodes: u8) -> Result<Lab> {
    raise_with(nodes, &[])
}

/// Starts a lab with flags for `routed run`.
pub(crate) fn raise_with(nodes: u8, flags: &[&str]) -> Result<Lab> {
    let lab = Lab::builder().nodes(nodes).start()?;
    for node in lab.nodes() {
        node.spawn_routed(flags)?;
    }
    lab.nodes().iter().try_for_each(Node::wait_ready)?;
    lab.wait_routes()?;
    Ok(lab)
}

pub(crate) fn reach(one: &Pod<'_>, two: &Pod<'_>) -> Result {
    for address in two.addresses() {
        one.run(&["ping", "-c1", "-W2", &address.to_string()])?;
    }
    Ok(())
}

/// Adds a pod that reaches `old`, and deletes both.
pub(crate) fn add_and_delete_pods(on: &Node, old: Pod<'_>) -> Result {
    let new = on.add_pod("new")?;
    reach(&new, &old)?;
    reach(&old, &new)?;
    new.delete()?;
    old.delete()
}

/// Adds a node without waiting for it.
pub(crate) fn join(lab: &mut Lab) -> Result {
    lab.add_node()?.spawn_routed(&[])
}

/// An operator forgets the node `gone`, by a command on node `by`.
pub(crate) fn forget(by: &Node, gone: &Node) -> Result {
    let forgotten = by.routed_command(&["forget", gone.name()])?;
    forgotten.success().map(drop)
}

/// The routes of `node` to subnets, without the kernel's marks for a missing carrier.
pub(crate) fn routes(node: &Node) -> Result<Vec<String>> {
    let routes = node.routes()?.into_iter();
    Ok(routes
        .filter(|route| !route.contains(" dev flat"))
        .map(|route| route.replace(" linkdown", ""))
        .collect())
}

/// The number of routes to `peer`.
pub(crate) fn count_routes_to(node: &Node, peer: &Machine) -> usize {
    let hops: Vec<_> = peer
        .addresses()
        .iter()
        .map(|hop| format!(" via {hop} "))
        .collect();
    let leads = |route: &&String| hops.iter().any(|hop| route.contains(hop));
    routes(node).map_or(0, |routes| routes.iter().filter(leads).count())
}

/// Waits until `node` has routes to both subnets of `peer`.
pub(crate) fn wait_routes_to(node: &Node, peer: &Machine) -> Result {
    wait_on(node, &format!("ways to {}", peer.name()), || {
        count_routes_to(node, peer) == 2
    })
}

/// Waits until `node` has no route to `peer` any more.
pub(crate) fn wait_no_routes_to(node: &Node, peer: &Machine) -> Result {
    wait_on(
        node,
        &format!("end of the routes to {}", peer.name()),
        || count_routes_to(node, peer) == 0,
    )
}

/// Waits until `condition` holds after an outage; an error contains the log of `routed`.
pub(crate) fn wait_on(node: &Node, what: &str, condition: impl FnMut() -> bool) -> Result {
    wait_until(
        format!("{what} on {}", node.name()),
        RECOVERY_TIMEOUT,
        condition,
    )
    .map_err(|error| error.doing(node.routed_log()))
}

/// Waits until `node` has logged `text` this number of times.
pub(crate) fn wait_logged(node: &Node, text: &str, times: usize) -> Result {
    wait_until(format!("{text:?}, {times}"), DEADLINE, || {
        node.count_logged(text) >= times
    })
    .map_err(|error| error.doing(node.routed_log()))
}

/// Checks that the log reports one outage and its consequences once.
pub(crate) fn assert_logged_once(node: &Node) {
    for text in [OUTAGE_LOG, RECOVERY_LOG] {
        assert_eq!(node.count_logged(text), 1, "{}", node.routed_log());
    }
    for text in [
        "cannot join",
        "is not shown as present",
        "cannot look after",
    ] {
        assert!(node.count_logged(text) <= 1, "{}", node.routed_log());
    }
}

/// Whether etcd shows `node` as present.
pub(crate) fn is_present(lab: &Lab, node: &Machine) -> bool {
    let key = format!("/flatland/flatland/presence/{}", node.name());
    let member = lab.etcd().iter().find_map(|etcd| etcd.keys(&key).ok());
    member.is_some_and(|keys| keys.contains(&key))
}

/// Makes changes while node 1 is cut off: a node joins, and another one is forgotten.
pub(crate) fn change(lab: &mut Lab) -> Result {
    join(lab)?;
    let [two, three, four] = [lab.node(2), lab.node(3), lab.node(4)];
    four.wait_ready()?;
    three.end_routed(Signal::SIGTERM)?;
    forget(two, three)?;
    wait_routes_to(two, four)?;
    wait_no_routes_to(two, three)
}

/// Waits until the changes of [`change`] have arrived at node 1 and it is well.
pub(crate) fn wait_changed(lab: &Lab) -> Result {
    let [one, three, four] = [lab.node(1), lab.node(3), lab.node(4)];
    wait_routes_to(one, four)?;
    wait_no_routes_to(one, three)?;
    wait_routes_to(one, lab.node(2))?;
    wait_on(one, "presence", || is_present(lab, one))?;
    reach(&one.add_pod("a")?, &four.add_pod("b")?)
}
