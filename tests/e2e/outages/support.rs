//! What the outages have in common.

use std::time::Duration;

use lab::{DEADLINE, Lab, Machine, Node, Pod, Result, wait_until};
use nix::sys::signal::Signal;

/// How long it takes at most until all is well after an outage, on a machine that is busy.
pub(crate) const SECONDS: Duration = Duration::from_secs(15);

/// What `routed` says of a registry that it lost, once for each outage, and of its return.
pub(crate) const AWAY: &str = "the registry is out of reach";
pub(crate) const BACK: &str = "the registry is back";

pub(crate) fn raise(nodes: u8) -> Result<Lab> {
    raise_with(nodes, &[])
}

/// With flags for `routed run`.
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

/// A pod comes and reaches `old`, and both go.
pub(crate) fn add_and_delete_pods(on: &Node, old: Pod<'_>) -> Result {
    let new = on.add_pod("new")?;
    reach(&new, &old)?;
    reach(&old, &new)?;
    new.delete()?;
    old.delete()
}

/// One more node, which nobody waits for.
pub(crate) fn join(lab: &mut Lab) -> Result {
    lab.add_node()?.spawn_routed(&[])
}

/// An operator lets a node go that is gone, by a command on node `by`.
pub(crate) fn forget(by: &Node, gone: &Node) -> Result {
    let forgotten = by.routed_command(&["forget", gone.name()])?;
    forgotten.success().map(drop)
}

/// The routes of `node` to subnets; a cable that is out marks them, and takes none.
pub(crate) fn routes(node: &Node) -> Result<Vec<String>> {
    let routes = node.routes()?.into_iter();
    Ok(routes
        .filter(|route| !route.contains(" dev flat"))
        .map(|route| route.replace(" linkdown", ""))
        .collect())
}

/// How many routes lead to `peer`.
pub(crate) fn ways(node: &Node, peer: &Machine) -> usize {
    let hops: Vec<_> = peer
        .addresses()
        .iter()
        .map(|hop| format!(" via {hop} "))
        .collect();
    let leads = |route: &&String| hops.iter().any(|hop| route.contains(hop));
    routes(node).map_or(0, |routes| routes.iter().filter(leads).count())
}

/// Waits until `node` knows the way to both of `peer`'s subnets.
pub(crate) fn wait_ways(node: &Node, peer: &Machine) -> Result {
    wait_on(node, &format!("ways to {}", peer.name()), || {
        ways(node, peer) == 2
    })
}

/// Waits until `node` has no route to `peer` any more.
pub(crate) fn wait_no_ways(node: &Node, peer: &Machine) -> Result {
    wait_on(node, &format!("end of the ways to {}", peer.name()), || {
        ways(node, peer) == 0
    })
}

/// Waits until `condition` holds after an outage; the error has what `routed` said.
pub(crate) fn wait_on(node: &Node, what: &str, condition: impl FnMut() -> bool) -> Result {
    wait_until(format!("{what} on {}", node.name()), SECONDS, condition)
        .map_err(|error| error.doing(node.routed_log()))
}

/// Waits until `node` has said `text` so many times.
pub(crate) fn wait_said(node: &Node, text: &str, times: usize) -> Result {
    wait_until(format!("{text:?}, {times}"), DEADLINE, || {
        node.said(text) >= times
    })
    .map_err(|error| error.doing(node.routed_log()))
}

/// Checks that the log tells of one outage, and of what follows from it, once.
pub(crate) fn assert_said_once(node: &Node) {
    for text in [AWAY, BACK] {
        assert_eq!(node.said(text), 1, "{}", node.routed_log());
    }
    for text in [
        "cannot join",
        "is not shown as present",
        "cannot look after",
    ] {
        assert!(node.said(text) <= 1, "{}", node.routed_log());
    }
}

/// Whether etcd shows `node` as present.
pub(crate) fn is_present(lab: &Lab, node: &Machine) -> bool {
    let key = format!("/flatland/flatland/presence/{}", node.name());
    let member = lab.etcd().iter().find_map(|etcd| etcd.keys(&key).ok());
    member.is_some_and(|keys| keys.contains(&key))
}

/// While node 1 hears nothing: a node joins, and another goes for good.
pub(crate) fn change(lab: &mut Lab) -> Result {
    join(lab)?;
    let [two, three, four] = [lab.node(2), lab.node(3), lab.node(4)];
    four.wait_ready()?;
    three.end_routed(Signal::SIGTERM)?;
    forget(two, three)?;
    wait_ways(two, four)?;
    wait_no_ways(two, three)
}

/// What [`change`] changed has arrived at node 1, and it is well.
pub(crate) fn wait_changed(lab: &Lab) -> Result {
    let [one, three, four] = [lab.node(1), lab.node(3), lab.node(4)];
    wait_ways(one, four)?;
    wait_no_ways(one, three)?;
    wait_ways(one, lab.node(2))?;
    wait_on(one, "presence", || is_present(lab, one))?;
    reach(&one.add_pod("a")?, &four.add_pod("b")?)
}
