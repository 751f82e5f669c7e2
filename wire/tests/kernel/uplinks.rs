//! Finding the uplink, against the kernel.

use wire::netlink::Uplink;

use crate::support::{ConnectedNetns, ip, joined, wait_until_local};

#[test]
fn link_with_the_configured_address_is_the_uplink() {
    let mut joined = joined();
    let ConnectedNetns {
        host,
        host_socket,
        host_end,
        ..
    } = &mut joined;
    ip(host, "address add fd00:1::10/64 dev host0 nodad");
    ip(host, "address add 192.168.1.10/24 dev host0");
    ip(host, "address add 192.168.1.11/24 dev host0");

    let hint = "192.168.1.11".parse().unwrap();
    let uplink = Uplink::find(host_socket, &["10.9.9.9".parse().unwrap(), hint]).unwrap();

    assert_eq!(
        (uplink.index, uplink.name.as_str(), uplink.mtu),
        (host_end.index, "host0", 1450)
    );
    let addresses: Vec<String> = uplink.addresses.iter().map(ToString::to_string).collect();
    assert_eq!(addresses, ["192.168.1.10", "192.168.1.11", "fd00:1::10"]);
}

#[test]
fn link_of_the_default_route_is_the_uplink() {
    let mut joined = joined();
    let ConnectedNetns {
        host, host_socket, ..
    } = &mut joined;
    ip(host, "address add 192.168.1.10/24 dev host0");
    ip(host, "address add 10.5.0.1/24 dev lo");
    ip(host, "route add default via 192.168.1.1");

    assert_eq!(Uplink::find(host_socket, &[]).unwrap().name, "host0");
}

#[test]
fn host_without_addresses_has_no_uplink() {
    let mut joined = joined();
    let ConnectedNetns { host_socket, .. } = &mut joined;

    let error = Uplink::find(host_socket, &[]).unwrap_err();

    assert_eq!(
        error.to_string(),
        "cannot tell which interface carries this node's traffic to its peers (there is no \
         default route and no link that is up with an address); configure the node's address"
    );
}

#[test]
fn link_is_found_by_its_address() {
    let mut joined = joined();
    let ConnectedNetns {
        host, host_socket, ..
    } = &mut joined;
    ip(host, "address add fd00:1::10/64 dev host0 nodad");
    ip(host, "address add 192.168.1.10/24 dev host0");
    ip(host, "address add 192.168.2.10/24 dev lo");
    wait_until_local(host_socket, "fd00:1::10");
    // A local route without an address on a link does not count.
    ip(host, "route add local 192.168.3.0/24 dev host0");

    for (address, expected) in [
        ("192.168.1.10", Some("host0")),
        ("fd00:1::10", Some("host0")),
        ("192.168.2.10", Some("lo")),
        ("192.168.1.11", None),
        ("192.168.3.10", None),
        ("fd00:1::11", None),
        ("192.0.2.1", None),
    ] {
        let link = host_socket.link_with(address.parse().unwrap()).unwrap();
        let name = link.as_ref().map(|(link, _)| link.name.as_str());
        assert_eq!(name, expected, "{address}");
    }
}

/// A node whose own address is on a link that leads nowhere, and two uplinks. `make` makes that link;
/// without it, it is loopback.
fn node(make: Option<&str>) -> ConnectedNetns {
    let joined = joined();
    let inside = if make.is_some() { "inside" } else { "lo" };
    for command in [
        "link add eth1 mtu 1400 type veth peer name far1",
        "link set far1 up",
        "link set eth1 up",
        "address add 172.16.0.1/31 dev host0",
        "address add 172.16.0.3/31 dev eth1",
    ]
    .into_iter()
    .chain(make)
    {
        ip(&joined.host, command);
    }
    ip(
        &joined.host,
        &format!("address add 10.0.0.1/32 dev {inside}"),
    );
    ip(
        &joined.host,
        &format!("address add fd00:9::1/128 dev {inside} nodad"),
    );
    joined
}

#[test]
fn address_on_an_inner_link_leads_to_the_default_route() {
    for own in [None, Some("link add inside up type bridge")] {
        let mut joined = node(own);
        let ConnectedNetns {
            host, host_socket, ..
        } = &mut joined;
        let hints = ["10.0.0.1".parse().unwrap(), "fd00:9::1".parse().unwrap()];
        let mut uplink = |hints: &[std::net::IpAddr]| {
            let uplink = Uplink::find(host_socket, hints).unwrap();
            (uplink.name, uplink.mtu, uplink.addresses[0].to_string())
        };
        let is = |name: &str, mtu| (name.to_owned(), mtu, "10.0.0.1".to_owned());

        // Without a default route: by the routes to other machines.
        ip(host, "route add 10.0.0.2 via 172.16.0.2 dev eth1 proto 186");
        assert_eq!(uplink(&hints[..1]), is("eth1", 1400), "{own:?}");
        ip(host, "route add default via 172.16.0.0 metric 50");
        ip(host, "route add default via 172.16.0.2 metric 60");
        assert_eq!(uplink(&hints[..1]), is("host0", 1450), "{own:?}");
        assert_eq!(uplink(&hints), is("host0", 1450), "{own:?}");
        ip(
            host,
            "route add default metric 10 nexthop via 172.16.0.0 nexthop via 172.16.0.2",
        );
        assert_eq!(uplink(&hints), is("eth1", 1400), "{own:?}");
        ip(host, "-6 route add default dev host0 metric 5");
        let ipv6 = Uplink::find(host_socket, &hints[1..]).unwrap();
        assert_eq!(ipv6.name, "host0", "{own:?}");
    }
}

#[test]
fn uplink_without_address_has_the_source_of_the_default_route() {
    let mut joined = joined();
    let ConnectedNetns {
        host, host_socket, ..
    } = &mut joined;
    ip(host, "address add 10.0.0.1/32 dev lo");
    ip(host, "route add 0.0.0.0/0 via inet6 fe80::1 dev host0");

    let uplink = Uplink::find(host_socket, &[]).unwrap();

    assert_eq!(uplink.name, "host0");
    let expected: std::net::IpAddr = "10.0.0.1".parse().unwrap();
    assert_eq!(uplink.addresses, [expected]);
}

#[test]
fn machine_with_only_an_inner_address_uses_its_link_but_not_loopback() {
    let mut joined = joined();
    let ConnectedNetns {
        host, host_socket, ..
    } = &mut joined;
    ip(host, "link add inside mtu 1300 type bridge");
    ip(host, "link set inside up");
    ip(host, "address add 10.0.0.1/32 dev inside");
    ip(host, "address add 10.0.0.2/32 dev lo");
    let [inside, lo] = ["10.0.0.1", "10.0.0.2"].map(|text| text.parse().unwrap());

    assert_eq!(Uplink::find(host_socket, &[inside]).unwrap().mtu, 1300);
    let error = Uplink::find(host_socket, &[lo]).unwrap_err().to_string();
    assert!(error.contains("no default route"), "{error}");
}
