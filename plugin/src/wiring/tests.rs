//! The requests of a wiring, as iproute2 commands.

use ipnetwork::IpNetwork;
use wire::cni::{Attachment, CniRoute, Dns, IpConfig, Success};
use wire::netlink::NetlinkRequest;

use super::{Wiring, WiringInput};

const LINK: u32 = 7;

fn ipam(addresses: &[&str], routes: &[&str]) -> Success {
    Success {
        ips: addresses
            .iter()
            .map(|address| IpConfig {
                address: address.parse().unwrap(),
                gateway: None,
                interface: None,
            })
            .collect(),
        routes: routes
            .iter()
            .map(|dst| CniRoute {
                dst: dst.parse().unwrap(),
                gw: None,
                other: serde_json::Map::new(),
            })
            .collect(),
        ..Success::default()
    }
}

fn wiring(ipam: &Success) -> Wiring {
    wiring_beside(ipam, &[])
}

/// The wiring of a pod that has these routes already.
fn wiring_beside(ipam: &Success, occupied: &[&str]) -> Wiring {
    let occupied: Vec<_> = occupied.iter().map(|dst| dst.parse().unwrap()).collect();
    Wiring::new(&WiringInput {
        network: "flatland",
        attachment: &Attachment::new("c1", "eth0").unwrap(),
        ipam,
        mtu: 1450,
        node_addresses: &["192.168.1.11".parse().unwrap(), "fd00::11".parse().unwrap()],
        ipv6: true,
        mac: None,
        settings: &[],
        existing_routes: &occupied,
    })
}

fn commands(requests: &[NetlinkRequest]) -> Vec<String> {
    requests.iter().map(ToString::to_string).collect()
}

/// ADD creates the pair while the IPAM plugin runs.
#[test]
fn pair_does_not_depend_on_the_addresses() {
    let known = wiring(&ipam(
        &["10.244.7.3/24", "fd00:10:244:7::3/80"],
        &["10.0.0.0/8"],
    ));
    let unknown = wiring(&Success::default());

    assert_eq!(known.pair(3), unknown.pair(3));
}

#[test]
fn dual_stack_pod_gets_both_addresses_and_gateways() {
    let wiring = wiring(&ipam(&["10.244.7.3/24", "fd00:10:244:7::3/80"], &[]));
    let mac = wiring.host_mac;

    assert_eq!(
        commands(&wiring.pod_requests(LINK)),
        [
            "ip link set if7 up".to_owned(),
            "ip address add 10.244.7.3/32 dev if7".to_owned(),
            "ip address add fd00:10:244:7::3/128 dev if7 nodad".to_owned(),
            "ip route add local fd00:10:244:7::3/128 dev if7 proto 70 table local".to_owned(),
            format!("ip neighbour replace 169.254.1.1 lladdr {mac} dev if7"),
            "ip route add 169.254.1.1/32 dev if7 proto 70".to_owned(),
            format!("ip neighbour replace fe80::1 lladdr {mac} dev if7"),
            "ip route add 0.0.0.0/0 via 169.254.1.1 dev if7 proto 70".to_owned(),
            "ip route add ::/0 via fe80::1 dev if7 proto 70".to_owned(),
        ]
    );
}

#[test]
fn host_route_source_is_the_node_address_of_the_family() {
    let wiring = wiring(&ipam(&["10.244.7.3/24", "fd00:10:244:7::3/80"], &[]));
    let requests = commands(&wiring.host_requests(LINK));

    assert!(requests[0].contains("flatland c1/eth0"), "{}", requests[0]);
    assert_eq!(
        requests[1..],
        [
            "ip ntable change name arp_cache dev if7 proxy_delay 0",
            "ip route add 10.244.7.3/32 dev if7 proto 70 src 192.168.1.11",
            "ip route add fd00:10:244:7::3/128 dev if7 proto 70 src fd00::11",
        ]
    );
}

#[test]
fn host_neighbour_of_the_pod_is_not_permanent() {
    let wiring = wiring(&ipam(&["10.244.7.3/24", "fd00:10:244:7::3/80"], &[]));
    let known = |address: &str| {
        let mac = wiring.pod_mac;
        format!("ip neighbour replace {address} lladdr {mac} dev if7 nud reachable extern_learn")
    };
    assert_eq!(
        commands(&wiring.neighbour_requests(LINK)),
        [
            "ip link show if7".to_owned(),
            known("10.244.7.3"),
            known("fd00:10:244:7::3"),
            "ip address add fe80::1/128 dev if7 nodad noprefixroute".to_owned(),
        ]
    );
}

#[test]
fn single_stack_pod_gets_nothing_of_the_other_family() {
    for (address, absent) in [("10.244.7.3/24", "::"), ("fd00:10:244:7::3/80", ".")] {
        let wiring = wiring(&ipam(&[address], &[]));
        for command in commands(&wiring.pod_requests(LINK)) {
            assert!(
                !command
                    .replace(&wiring.host_mac.to_string(), "")
                    .contains(absent),
                "{command}"
            );
        }
        let host = [wiring.host_requests(LINK), wiring.neighbour_requests(LINK)].concat();
        let host = commands(&host);
        let has = |what: &str| host.iter().any(|command| command.contains(what));
        let v4 = absent == "::";
        assert_eq!((has("arp_cache"), has("fe80::1/128")), (v4, !v4));
        assert_eq!(has("ip route del multicast ff00::/8 dev if7"), v4);
        assert_eq!(
            wiring.result("/run/netns/x", Dns::default()).routes.len(),
            1
        );
    }
}

#[test]
fn ipam_routes_lead_through_our_gateway() {
    let wiring = wiring(&ipam(
        &["10.244.7.3/24"],
        &["0.0.0.0/0", "10.96.0.0/12", "fd00:10:96::/112"],
    ));
    let routes: Vec<_> = wiring.result("/run/netns/x", Dns::default()).routes;

    let dsts: Vec<String> = routes.iter().map(|route| route.dst.to_string()).collect();
    assert_eq!(dsts, ["0.0.0.0/0", "10.96.0.0/12"]);
    assert!(
        routes
            .iter()
            .all(|route| route.gw == Some(wire::GATEWAY_V4.into()))
    );
    assert!(
        commands(&wiring.pod_requests(LINK))
            .contains(&"ip route add 10.96.0.0/12 via 169.254.1.1 dev if7 proto 70".to_owned())
    );
}

#[test]
fn result_matches_the_requests() {
    let wiring = wiring(&ipam(&["10.244.7.3/24", "fd00:10:244:7::3/80"], &[]));
    let result = wiring.result("/run/netns/x", Dns::default());

    let [host, pod] = &result.interfaces[..] else {
        panic!("{result:?}")
    };
    assert_eq!(
        (host.sandbox.as_deref(), pod.sandbox.as_deref()),
        (None, Some("/run/netns/x"))
    );
    assert_eq!(host.name, wiring.host_name);
    assert_eq!(host.mac, Some(wiring.host_mac.to_string()));
    assert_eq!(pod.mac, Some(wiring.pod_mac.to_string()));
    assert_eq!((pod.name.as_str(), pod.mtu), ("eth0", Some(1450)));
    let addresses: Vec<IpNetwork> = result.ips.iter().map(|ip| ip.address).collect();
    assert_eq!(
        addresses,
        [
            "10.244.7.3/32".parse().unwrap(),
            "fd00:10:244:7::3/128".parse().unwrap()
        ]
    );
    assert!(result.ips.iter().all(|ip| ip.interface == Some(1)));
}

#[test]
fn ends_differ_in_mac_and_share_the_mtu() {
    let wiring = wiring(&ipam(&["10.244.7.3/24"], &[]));
    let pair = wiring.pair(3);

    assert_eq!((pair.mtu, pair.peer_netns), (1450, 3));
    assert_ne!(pair.mac, pair.peer_mac);
    assert_eq!((pair.name.len(), pair.peer_name.as_str()), (15, "eth0"));
}

#[test]
fn without_ipv6_there_are_no_ipv6_requests() {
    let mut wiring = wiring(&ipam(&["10.244.7.3/24"], &[]));
    assert!(commands(&wiring.host_requests(LINK))[0].contains("addrgenmode"));
    wiring.ipv6 = false;
    assert!(!commands(&wiring.host_requests(LINK))[0].contains("addrgenmode"));
}

#[test]
fn second_interface_has_its_default_route_in_own_table() {
    let ipam = ipam(
        &["10.244.7.3/24", "fd00:10:244:7::3/80"],
        &["10.96.0.0/12", "10.97.0.0/16"],
    );
    let beside = wiring_beside(&ipam, &["0.0.0.0/0", "169.254.1.1/32", "10.97.0.0/16"]);

    let requests: Vec<String> = commands(&beside.pod_requests(LINK))
        .into_iter()
        .filter(|command| command.contains(" via ") || command.starts_with("ip rule"))
        .collect();
    assert_eq!(
        requests,
        [
            "ip route add 10.96.0.0/12 via 169.254.1.1 dev if7 proto 70 onlink",
            "ip route add ::/0 via fe80::1 dev if7 proto 70",
            "ip route add 0.0.0.0/0 via 169.254.1.1 dev if7 proto 70 onlink table 7007",
            "ip rule add from 10.244.7.3 lookup 7007 priority 7000 protocol 70",
        ]
    );
    let said = beside.result("/run/netns/x", Dns::default()).routes;
    let said: Vec<String> = said.iter().map(|route| route.dst.to_string()).collect();
    assert_eq!(said, ["10.96.0.0/12", "::/0"]);
    let gateway = "ip route add 169.254.1.1/32 dev if7 proto 70".to_owned();
    assert!(!commands(&beside.pod_requests(LINK)).contains(&gateway));
    assert!(commands(&wiring(&ipam).pod_requests(LINK)).contains(&gateway));
}

#[test]
fn requested_mac_is_used_on_both_sides() {
    let ipam = ipam(&["10.244.7.3/24"], &[]);
    let attachment = Attachment::new("c1", "eth0").unwrap();
    let wiring = Wiring::new(&WiringInput {
        network: "flatland",
        attachment: &attachment,
        ipam: &ipam,
        mtu: 1500,
        node_addresses: &[],
        ipv6: true,
        mac: Some("02:00:00:00:00:07".parse().unwrap()),
        settings: &[("net/ipv4/conf/IFNAME/arp_ignore".into(), "1".into())],
        existing_routes: &[],
    });
    assert_eq!(wiring.pair(3).peer_mac.to_string(), "02:00:00:00:00:07");
    let known = commands(&wiring.neighbour_requests(LINK));
    assert!(
        known[1].contains("10.244.7.3 lladdr 02:00:00:00:00:07"),
        "{}",
        known[1]
    );
    assert_eq!(
        wiring.settings,
        [("net/ipv4/conf/eth0/arp_ignore".to_owned(), "1".to_owned())]
    );
}
