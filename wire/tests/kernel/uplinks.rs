//! Finding the uplink, against the kernel.

use wire::netlink::Uplink;

use crate::support::{Joined, ip, joined, wait_until_local};

#[test]
fn link_with_the_configured_address_is_the_uplink() {
    let mut joined = joined();
    let Joined {
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
    let Joined {
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
    let Joined { host_socket, .. } = &mut joined;

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
    let Joined {
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
