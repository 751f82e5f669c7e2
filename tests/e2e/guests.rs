//! Pods that hold a guest with a network stack of its own: it knows none of the neighbours that we
//! give the pod, asks who its gateway is, and may have a hardware address of its own.

use std::net::IpAddr;

use lab::{DEADLINE, Error, Families, Lab, Node, Pod, Result, wait_until};
use nix::sys::signal::Signal;

/// The hardware address of guests that have one of their own.
const OWN_MAC: &str = "02:00:00:00:00:99";

/// A node alone, with its claims in a local file.
fn lab() -> Result<Lab> {
    let lab = Lab::builder().etcd(0).start()?;
    lab.node(1).install_conflist()?;
    Ok(lab)
}

/// Runs lines of shell on the node, in which POD is the pod's name and V4 and V6 its addresses.
fn shell(pod: &Pod<'_>, lines: &str) -> Result<String> {
    let address = |v4: bool| {
        let mut all = pod.addresses().into_iter();
        let found = all.find(|address| address.is_ipv4() == v4);
        found.map(|address| address.to_string()).unwrap_or_default()
    };
    let script = lines
        .replace("POD", pod.name())
        .replace("V4", &address(true))
        .replace("V6", &address(false));
    pod.machine().run(&["sh", "-ec", &script])
}

/// Gives the guest's interface vm0 in namespace `vm` the pod's addresses and routes, and nothing of
/// its neighbours. It asks for each but once, and waits as long as a busy machine may take.
fn boot(pod: &Pod<'_>) -> Result {
    shell(
        pod,
        "ip -n vm link set lo up
         ip -n vm link set vm0 up
         ip -n vm ntable change name arp_cache dev vm0 mcast_probes 1 retrans 10000
         ip -n vm ntable change name ndisc_cache dev vm0 mcast_probes 1 retrans 10000
         ip -n vm address add V4/32 dev vm0
         ip -n vm address add V6/128 dev vm0 nodad
         ip -n vm route add 169.254.1.1 dev vm0
         ip -n vm route add default via 169.254.1.1
         ip -n vm -6 route add default via fe80::1 dev vm0",
    )
    .map(drop)
}

/// Both speak to all addresses of the other: the one in network namespace `inside` of the node
/// first.
fn both_ways(node: &Node, inside: &str, own: &[IpAddr], peer: &Pod<'_>) -> Result {
    for target in node.addresses().iter().chain(&peer.addresses()) {
        let target = target.to_string();
        node.run(&[
            "ip", "netns", "exec", inside, "ping", "-c1", "-W10", &target,
        ])?;
    }
    for target in own {
        let target = target.to_string();
        node.run(&["ping", "-c1", "-W10", &target])?;
        peer.run(&["ping", "-c1", "-W10", &target])?;
    }
    Ok(())
}

/// A pod whose interface a guest shares under a MAC of its own, and has the addresses of.
fn shared(pod: &Pod<'_>) -> Result {
    shell(
        pod,
        &format!(
            "ip netns add vm
             ip -n POD address flush dev eth0 scope global
             ip -n POD link add link eth0 name vm0 address {OWN_MAC} type macvlan mode bridge
             ip -n POD link set vm0 netns vm"
        ),
    )?;
    boot(pod)
}

#[test]
fn a_guest_on_a_macvlan_finds_its_gateways_and_is_found_under_its_own_mac() -> Result {
    let lab = lab()?;
    let node = lab.node(1);
    let (pod, peer) = (node.add_pod("a")?, node.add_pod("peer")?);
    shared(&pod)?;

    both_ways(node, "vm", &pod.addresses(), &peer)?;

    for address in pod.addresses() {
        let known = node.run(&["ip", "neigh", "show", &address.to_string()])?;
        assert!(known.contains(OWN_MAC), "{known}");
    }
    Ok(())
}

/// A node without a default route, on which `routed` runs.
fn without_default_route() -> Result<Lab> {
    let lab = Lab::builder().etcd(0).no_default_route().start()?;
    lab.start_routed()?;
    Ok(lab)
}

/// The routes to the gateway of pods.
fn to_gateway(node: &Node) -> Result<String> {
    node.run(&["ip", "route", "show", "169.254.1.1"])
}

#[test]
fn routed_sees_to_it_that_guests_are_answered_where_there_is_no_default_route() -> Result {
    let lab = without_default_route()?;
    let node = lab.node(1);
    let (pod, peer) = (node.add_pod("a")?, node.add_pod("peer")?);
    shared(&pod)?;

    both_ways(node, "vm", &pod.addresses(), &peer)?;

    let ours = to_gateway(node)?;
    assert!(ours.contains("dev eth0 proto 70 "), "{ours}");
    // The node's own addresses, which the pings are for, come back with the link.
    node.run(&["sysctl", "-qw", "net.ipv6.conf.eth0.keep_addr_on_down=1"])?;
    for command in ["ip route del 169.254.1.1", "ip link set eth0 down"] {
        node.run(&command.split(' ').collect::<Vec<_>>())?;
        node.run(&["ip", "link", "set", "eth0", "up"])?;
        wait_until("route to the gateway", DEADLINE, || {
            to_gateway(node).is_ok_and(|now| now == ours)
        })
        .map_err(|error| error.doing(node.routed_log()))?;
    }
    node.run(&[
        "ip", "-n", "vm", "neigh", "flush", "dev", "vm0", "nud", "all",
    ])?;
    both_ways(node, "vm", &pod.addresses(), &peer)
}

#[test]
fn a_route_to_the_gateway_that_somebody_else_made_serves_as_well_and_stays() -> Result {
    let lab = without_default_route()?;
    let node = lab.node(1);
    let ours = to_gateway(node)?;
    node.run(&["ip", "route", "add", "169.254.1.1", "dev", "eth0"])?;
    let both = to_gateway(node)?;
    assert!(both.lines().count() == 2 && both.contains(&ours), "{both}");

    node.end_routed(Signal::SIGTERM)?;
    node.run(&["ip", "route", "del", "169.254.1.1", "proto", "70"])?;
    node.start_routed()?;
    wait_until("both routes", DEADLINE, || {
        to_gateway(node).is_ok_and(|now| now == both)
    })?;

    assert_eq!(node.said("conflict"), 0, "{}", node.routed_log());
    let (pod, peer) = (node.add_pod("a")?, node.add_pod("peer")?);
    shared(&pod)?;
    both_ways(node, "vm", &pod.addresses(), &peer)
}

#[test]
fn a_pod_that_sends_to_its_gateway_keeps_the_node_no_busier_than_with_any_other_packet() -> Result {
    let lab = without_default_route()?;
    let node = lab.node(1);
    let pod = node.add_pod("a")?;
    let forwarded = || -> Result<u64> {
        let text = node.run(&["nstat", "-asz", "IpForwDatagrams"])?;
        let word = text.split_whitespace().nth(2).unwrap_or_default();
        word.parse().map_err(|_| Error::new(text.clone()))
    };
    let before = forwarded()?;

    // Nobody answers.
    let _ = pod.run(&["ping", "-c1", "-W1", "-t64", "169.254.1.1"]);

    assert!(forwarded()? - before <= 1);
    Ok(())
}

#[test]
fn a_node_without_ipv4_pods_has_no_route_for_their_guests() -> Result {
    let lab = Lab::builder().etcd(0).families(Families::V6).start()?;
    lab.start_routed()?;
    assert_eq!(to_gateway(lab.node(1))?, "");
    Ok(())
}

#[test]
fn without_routed_a_node_that_has_no_default_route_answers_guests_by_ipv6_alone() -> Result {
    let lab = Lab::builder().etcd(0).no_default_route().start()?;
    let node = lab.node(1);
    node.install_conflist()?;
    let (pod, peer) = (node.add_pod("a")?, node.add_pod("peer")?);
    shared(&pod)?;

    for target in peer.addresses() {
        let words = ["ip", "netns", "exec", "vm", "ping", "-c1", "-W2"];
        let target_word = target.to_string();
        let reached = node.run(&[&words[..], &[&target_word]].concat()).is_ok();
        assert_eq!(reached, target.is_ipv6(), "{target}");
    }
    Ok(())
}

/// A pod whose traffic is led into a guest's interface by traffic control, as micro-VMs have it:
/// the pod's own stack keeps its addresses and sees nothing.
fn redirected(pod: &Pod<'_>, mac: &str) -> Result {
    shell(
        pod,
        &format!(
            "ip netns add vm
             ip -n POD link add tap0 type veth peer name vm0 address {mac} netns vm
             ip -n POD link set tap0 up
             redirect() {{
                 tc -n POD qdisc add dev $1 ingress
                 tc -n POD filter add dev $1 ingress protocol all u32 match u8 0 0 \\
                     action mirred egress redirect dev $2
             }}
             redirect eth0 tap0
             redirect tap0 eth0"
        ),
    )?;
    boot(pod)
}

#[test]
fn a_guest_behind_traffic_control_works_with_the_pods_mac_and_with_its_own() -> Result {
    let lab = lab()?;
    let node = lab.node(1);
    let peer = node.add_pod("peer")?;
    for own_mac in [false, true] {
        let mut pod = node.sandbox("a")?;
        pod.attach()?;
        let mac = pod.result().interfaces[1].mac.clone().unwrap_or_default();
        redirected(&pod, if own_mac { OWN_MAC } else { &mac })?;

        both_ways(node, "vm", &pod.addresses(), &peer)?;

        pod.check()?;
        pod.delete()?;
        node.run(&["ip", "netns", "del", "vm"])?;
    }
    Ok(())
}

#[test]
fn a_pod_that_changes_its_mac_goes_on_and_its_node_learns_it() -> Result {
    let lab = lab()?;
    let node = lab.node(1);
    let (pod, peer) = (node.add_pod("a")?, node.add_pod("peer")?);
    both_ways(node, "a", &pod.addresses(), &peer)?;

    pod.run(&["ip", "link", "set", "eth0", "address", OWN_MAC])?;

    both_ways(node, "a", &pod.addresses(), &peer)?;
    Ok(())
}

#[test]
fn neighbours_that_are_forgotten_on_either_side_are_found_again() -> Result {
    let lab = lab()?;
    let node = lab.node(1);
    let (pod, peer) = (node.add_pod("a")?, node.add_pod("peer")?);
    let host = &pod.result().interfaces[0].name;

    // From the node to the pod first, which has not said anything then.
    node.run(&["ip", "neigh", "flush", "dev", host, "nud", "all"])?;
    for address in pod.addresses() {
        node.run(&["ping", "-c1", "-W10", &address.to_string()])?;
    }
    pod.check()?;

    node.run(&["ip", "neigh", "flush", "dev", host, "nud", "all"])?;
    pod.run(&["ip", "neigh", "flush", "dev", "eth0", "nud", "all"])?;
    assert_eq!(pod.run(&["ip", "neigh"])?, "");
    both_ways(node, "a", &pod.addresses(), &peer)?;
    pod.check()
}
