//! Pods with a guest that has its own network stack (micro-VM, macvlan): it has none of the pod's
//! neighbour entries, resolves its gateway by ARP and neighbour discovery, and may have its own
//! MAC.

use std::net::IpAddr;

use lab::{DEADLINE, Error, Families, Lab, Node, Pod, Result, wait_until};
use nix::sys::signal::Signal;

/// The MAC of guests that have their own.
const OWN_MAC: &str = "02:00:00:00:00:99";

/// A single node, with its claims in a local file.
fn lab() -> Result<Lab> {
    let lab = Lab::builder().etcd(0).start()?;
    lab.node(1).install_conflist()?;
    Ok(lab)
}

/// Runs shell lines on the node, with POD replaced by the pod's name, and V4 and V6 by its
/// addresses.
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

/// Configures the guest's interface vm0 in namespace `vm` with the pod's addresses and routes,
/// without its neighbour entries. The guest asks for each neighbour only once, and waits as long as
/// a busy machine may take.
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

/// Pings all addresses in both directions; the network namespace `inside` of the node starts.
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

/// A pod whose interface is shared with a guest by macvlan: the guest has its own MAC and the pod's
/// addresses.
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
fn guest_on_macvlan_resolves_gateways_and_is_reached() -> Result {
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

/// A node without a default route, with `routed` running.
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
fn guests_on_a_node_without_default_route_get_arp_replies() -> Result {
    let lab = without_default_route()?;
    let node = lab.node(1);
    let (pod, peer) = (node.add_pod("a")?, node.add_pod("peer")?);
    shared(&pod)?;

    both_ways(node, "vm", &pod.addresses(), &peer)?;

    let ours = to_gateway(node)?;
    assert!(ours.contains("dev eth0 proto 70 "), "{ours}");
    // The node's own addresses, which the pings go to, return with the link.
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
fn foreign_gateway_route_is_used_and_kept() -> Result {
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

    assert_eq!(node.count_logged("conflict"), 0, "{}", node.routed_log());
    let (pod, peer) = (node.add_pod("a")?, node.add_pod("peer")?);
    shared(&pod)?;
    both_ways(node, "vm", &pod.addresses(), &peer)
}

#[test]
fn packet_to_the_gateway_is_not_forwarded_in_a_loop() -> Result {
    let lab = without_default_route()?;
    let node = lab.node(1);
    let pod = node.add_pod("a")?;
    let forwarded = || -> Result<u64> {
        let text = node.run(&["nstat", "-asz", "IpForwDatagrams"])?;
        let word = text.split_whitespace().nth(2).unwrap_or_default();
        word.parse().map_err(|_| Error::new(text.clone()))
    };
    let before = forwarded()?;

    // The ping gets no answer.
    let _ = pod.run(&["ping", "-c1", "-W1", "-t64", "169.254.1.1"]);

    assert!(forwarded()? - before <= 1);
    Ok(())
}

#[test]
fn node_without_ipv4_pods_has_no_gateway_route() -> Result {
    let lab = Lab::builder().etcd(0).families(Families::V6).start()?;
    lab.start_routed()?;
    assert_eq!(to_gateway(lab.node(1))?, "");
    Ok(())
}

#[test]
fn guest_without_routed_and_default_route_gets_ndp_only() -> Result {
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

/// A pod whose traffic is redirected to a guest's interface by traffic control, as micro-VMs do.
/// The pod's own network stack keeps its addresses and receives nothing.
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
fn guest_behind_tc_redirect_works_with_pod_mac_and_own_mac() -> Result {
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
fn pod_with_a_changed_mac_stays_reachable() -> Result {
    let lab = lab()?;
    let node = lab.node(1);
    let (pod, peer) = (node.add_pod("a")?, node.add_pod("peer")?);
    both_ways(node, "a", &pod.addresses(), &peer)?;

    pod.run(&["ip", "link", "set", "eth0", "address", OWN_MAC])?;

    both_ways(node, "a", &pod.addresses(), &peer)?;
    Ok(())
}

#[test]
fn flushed_neighbours_of_node_and_pod_are_resolved_again() -> Result {
    let lab = lab()?;
    let node = lab.node(1);
    let (pod, peer) = (node.add_pod("a")?, node.add_pod("peer")?);
    let host = &pod.result().interfaces[0].name;

    // From the node to the pod first, before the pod has sent anything.
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
