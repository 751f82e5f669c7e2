//! Every request: its text and its bytes.

mod round_trip;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use ipnet::IpNet;
use ipnetwork::IpNetwork;
use proptest::prelude::*;
use rtnetlink::packet_core::{NetlinkMessage, NetlinkPayload};
use rtnetlink::packet_route::RouteNetlinkMessage;

use super::*;

const MAC: Mac = Mac([2, 0, 0, 0, 0, 1]);

fn bytes(message: &RouteNetlinkMessage) -> Vec<u8> {
    let mut packet = NetlinkMessage::from(message.clone());
    packet.finalize();
    let mut bytes = vec![0; packet.buffer_len()];
    packet.serialize(&mut bytes);
    bytes
}

/// What the kernel reads after the netlink header.
fn payload(request: &NetlinkRequest) -> Vec<u8> {
    bytes(&request.messages().last().unwrap()).split_off(16)
}

fn route(dst: &str) -> Route {
    Route::new(dst.parse().unwrap(), RouteKind::Unicast)
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn address(text: &str) -> Address {
    Address::new(4, text.parse().unwrap())
}

fn every_request() -> Vec<(NetlinkRequest, &'static str)> {
    [link_requests(), address_requests(), route_requests()].concat()
}

fn link_requests() -> Vec<(NetlinkRequest, &'static str)> {
    let pair = VethPair {
        name: "flat0123456789a".into(),
        mac: MAC,
        mtu: 1450,
        group: 0,
        peer_name: "eth0".into(),
        peer_mac: Mac([2, 0, 0, 0, 0, 2]),
        peer_netns: 7,
    };
    let grouped = VethPair {
        group: 70,
        ..pair.clone()
    };
    let everything = LinkChange {
        up: Some(true),
        mtu: Some(1400),
        name: Some("eth1".into()),
        group: Some(7),
        alias: Some("default/web-0".into()),
        ipv4: Ipv4Settings {
            proxy_arp: true,
            strict_rp_filter: true,
            forwarding: true,
        },
        no_ipv6_link_local: true,
    };
    let down = LinkChange {
        up: Some(false),
        ..LinkChange::default()
    };
    vec![
        (
            NetlinkRequest::AddVeth(pair),
            "ip link add flat0123456789a address 02:00:00:00:00:01 mtu 1450 type veth \
             peer name eth0 address 02:00:00:00:00:02 mtu 1450 netns /proc/self/fd/7",
        ),
        (
            NetlinkRequest::AddVeth(grouped),
            "ip link add flat0123456789a address 02:00:00:00:00:01 mtu 1450 group 70 type veth \
             peer name eth0 address 02:00:00:00:00:02 mtu 1450 netns /proc/self/fd/7",
        ),
        (
            NetlinkRequest::ChangeLink {
                index: 4,
                change: everything,
            },
            "ip link set if4 up mtu 1400 name eth1 group 7 alias \"default/web-0\" \
             proxy_arp=1 rp_filter=1 forwarding=1 addrgenmode none",
        ),
        (
            NetlinkRequest::ChangeLink {
                index: 4,
                change: down,
            },
            "ip link set if4 down",
        ),
        (NetlinkRequest::DelLink { index: 4 }, "ip link del if4"),
        (
            NetlinkRequest::DelLinkNamed {
                name: "flat0123456789a".into(),
            },
            "ip link del flat0123456789a",
        ),
        (
            NetlinkRequest::DelLinkGroup { group: 70 },
            "ip link del group 70",
        ),
        (
            NetlinkRequest::NoticeCarrier { link: 4 },
            "ip link show if4",
        ),
        (
            NetlinkRequest::DelMulticastRoute { link: 4 },
            "ip route del multicast ff00::/8 dev if4 table local",
        ),
    ]
}

fn address_requests() -> Vec<(NetlinkRequest, &'static str)> {
    let quiet = Address {
        no_dad: true,
        no_prefix_route: true,
        scope: Scope::Link,
        ..address("fd00::7/64")
    };
    let odd = Address {
        scope: Scope::Site,
        ..address("10.1.10.7/24")
    };
    let neighbour = |address| Neighbour {
        link: 4,
        address: ip(address),
        mac: MAC,
        permanent: true,
    };
    vec![
        (
            NetlinkRequest::AddAddress(address("10.1.10.7/32")),
            "ip address add 10.1.10.7/32 dev if4",
        ),
        (
            NetlinkRequest::AddAddress(quiet),
            "ip address add fd00::7/64 dev if4 scope link nodad noprefixroute",
        ),
        (
            NetlinkRequest::DelAddress(odd),
            "ip address del 10.1.10.7/24 dev if4 scope 200",
        ),
        (
            NetlinkRequest::AddNeighbour(neighbour("169.254.1.1")),
            "ip neighbour replace 169.254.1.1 lladdr 02:00:00:00:00:01 dev if4",
        ),
        (
            NetlinkRequest::DelNeighbour(neighbour("fe80::1")),
            "ip neighbour del fe80::1 lladdr 02:00:00:00:00:01 dev if4",
        ),
        (
            NetlinkRequest::AddNeighbour(Neighbour {
                permanent: false,
                ..neighbour("10.1.10.7")
            }),
            "ip neighbour replace 10.1.10.7 lladdr 02:00:00:00:00:01 dev if4 nud reachable \
             extern_learn",
        ),
        (
            NetlinkRequest::SetProxyDelay {
                link: 4,
                delay: Duration::from_millis(50),
            },
            "ip ntable change name arp_cache dev if4 proxy_delay 50",
        ),
    ]
}

fn route_requests() -> Vec<(NetlinkRequest, &'static str)> {
    let gateway = Route {
        via: Some(ip("192.168.1.20")),
        dev: Some(4),
        ..route("10.1.20.0/24")
    };
    let over_ipv6 = Route {
        via: Some(ip("fd00::20")),
        ..gateway.clone()
    };
    let to_pod = Route {
        dev: Some(9),
        src: Some(ip("192.168.1.10")),
        ..route("10.1.10.7/32")
    };
    let onlink = Route {
        metric: Some(5),
        onlink: true,
        ..gateway.clone()
    };
    let unreachable = Route {
        kind: RouteKind::Unreachable,
        ..route("fd00:10::/80")
    };
    vec![
        (
            NetlinkRequest::AddRouteIn {
                table: 7004,
                route: onlink.clone(),
            },
            "ip route add 10.1.20.0/24 via 192.168.1.20 dev if4 proto 70 metric 5 onlink table 7004",
        ),
        (
            NetlinkRequest::AddRule(SourceRule {
                from: ip("fd00::7"),
                table: 7004,
                priority: 7000,
            }),
            "ip rule add -6 from fd00::7 lookup 7004 priority 7000 protocol 70",
        ),
        (
            NetlinkRequest::AddRoute(to_pod),
            "ip route add 10.1.10.7/32 dev if9 proto 70 src 192.168.1.10",
        ),
        (
            NetlinkRequest::ReplaceRoute(gateway),
            "ip route replace 10.1.20.0/24 via 192.168.1.20 dev if4 proto 70",
        ),
        (
            NetlinkRequest::ReplaceRoute(over_ipv6),
            "ip route replace 10.1.20.0/24 via inet6 fd00::20 dev if4 proto 70",
        ),
        (
            NetlinkRequest::ReplaceRoute(onlink),
            "ip route replace 10.1.20.0/24 via 192.168.1.20 dev if4 proto 70 metric 5 onlink",
        ),
        (
            NetlinkRequest::DelRoute(unreachable),
            "ip route del unreachable fd00:10::/80 proto 70",
        ),
    ]
}

#[test]
fn request_prints_as_the_iproute2_command() {
    for (request, expected) in every_request() {
        assert_eq!(request.to_string(), expected);
    }
}

#[test]
fn request_bytes_parse_back_to_the_same_message() {
    for (request, text) in every_request() {
        for message in request.messages() {
            let bytes = bytes(&message);
            assert_eq!(
                bytes.len() % 4,
                0,
                "{text}: messages follow each other in a datagram"
            );
            // The kernel lists a link's per-family settings in another form than requests have.
            if text.contains("proxy_arp") && matches!(message, RouteNetlinkMessage::SetLink(_)) {
                continue;
            }
            let read = NetlinkMessage::deserialize(&bytes).unwrap();
            assert_eq!(
                read.payload,
                NetlinkPayload::InnerMessage(message),
                "{text}"
            );
        }
    }
}

#[test]
fn settings_are_sent_before_link_up() {
    let settings = LinkChange {
        no_ipv6_link_local: true,
        ..LinkChange::default()
    };
    let messages = |up| {
        let change = LinkChange {
            up,
            ..settings.clone()
        };
        NetlinkRequest::ChangeLink { index: 4, change }
            .messages()
            .count()
    };

    assert_eq!([Some(true), Some(false), None].map(messages), [2, 1, 1]);
}

#[test]
fn link_address_of_other_length_is_none() {
    let mut header = vec![0; 16];
    header[4] = 9;
    let attribute = |kind: u8, value: &[u8]| {
        let mut bytes = vec![4 + u8::try_from(value.len()).unwrap(), 0, kind, 0];
        bytes.extend(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    };
    let name = attribute(3, b"tun0\0");
    let alias = attribute(20, b"\xff\xfe\0");
    let message = [
        header.clone(),
        name.clone(),
        attribute(1, &[1, 2, 3, 4]),
        alias,
    ]
    .concat();

    let link = Link::parse(&message).unwrap();

    assert_eq!(
        (link.index, link.name.as_str(), link.mac),
        (9, "tun0", None)
    );
    assert_eq!(link.alias.as_deref(), Some("\u{fffd}\u{fffd}"));
    assert!(Link::parse(&header[..15]).is_err());
    assert!(Link::parse(&[header, vec![9, 0, 3, 0, 1]].concat()).is_err());
}
