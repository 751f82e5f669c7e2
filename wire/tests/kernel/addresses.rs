//! Addresses, against the kernel.

use nix::errno::Errno;
use wire::netlink::{Address, NetlinkRequest, Scope};

use crate::support::{ConnectedNetns, ip, joined};

fn address(link: u32, address: &str) -> Address {
    Address::new(link, address.parse().unwrap())
}

#[test]
fn added_address_is_listed_unchanged_and_removed() {
    let mut joined = joined();
    let ConnectedNetns {
        pod_socket,
        pod_end,
        ..
    } = &mut joined;
    let link = pod_end.index;
    let addresses = [
        address(link, "10.244.1.7/32"),
        address(link, "10.9.1.7/24"),
        Address {
            no_prefix_route: true,
            ..address(link, "10.8.1.7/24")
        },
        Address {
            scope: Scope::Link,
            ..address(link, "169.254.7.7/16")
        },
        Address {
            no_dad: true,
            ..address(link, "fd00:10:244::7/128")
        },
        Address {
            no_dad: true,
            no_prefix_route: true,
            ..address(link, "fd00:9::7/64")
        },
        Address {
            no_dad: true,
            ..address(link, "fe80::7/64")
        },
    ];

    for address in addresses {
        pod_socket
            .apply_all(&[NetlinkRequest::AddAddress(address.clone())])
            .unwrap();
        assert!(
            pod_socket.addresses(Some(link)).unwrap().contains(&address),
            "{address}"
        );

        pod_socket
            .apply_all(&[NetlinkRequest::DelAddress(address.clone())])
            .unwrap();
        assert!(
            !pod_socket.addresses(Some(link)).unwrap().contains(&address),
            "{address}"
        );
    }
}

#[test]
fn adding_an_address_twice_is_refused() {
    let mut joined = joined();
    let ConnectedNetns {
        pod_socket,
        pod_end,
        ..
    } = &mut joined;
    let request = NetlinkRequest::AddAddress(address(pod_end.index, "10.244.1.7/32"));

    let failures = pod_socket.apply(&[request.clone(), request]).unwrap();

    assert_eq!(failures.len(), 1);
    assert_eq!(failures[0].errno(), Some(Errno::EEXIST));
    let text = failures[0].to_string();
    assert!(
        text.starts_with("ip address add 10.244.1.7/32 dev if2: File exists"),
        "{text}"
    );
}

#[test]
fn addresses_of_one_link_exclude_others() {
    let mut joined = joined();
    let ConnectedNetns {
        host_socket,
        host_end,
        ..
    } = &mut joined;
    let own = address(host_end.index, "10.0.0.1/24");
    host_socket
        .apply_all(&[NetlinkRequest::AddAddress(own.clone())])
        .unwrap();

    let all = host_socket.addresses(None).unwrap();
    let of_one = host_socket.addresses(Some(host_end.index)).unwrap();

    assert!(all.contains(&address(1, "127.0.0.1/8")), "{all:?}");
    assert!(
        of_one.contains(&own) && of_one.iter().all(|a| a.link == host_end.index),
        "{of_one:?}"
    );
}

#[test]
fn address_flags_are_parsed() {
    let mut joined = joined();
    let ConnectedNetns {
        host,
        host_socket,
        host_end,
        ..
    } = &mut joined;
    ip(
        host,
        "address add fd00:1::1/64 dev host0 nodad valid_lft 3600 preferred_lft 0",
    );
    ip(
        host,
        "address add 10.0.0.1/24 dev host0 valid_lft 3600 preferred_lft 1800",
    );
    ip(host, "address add 10.0.0.2/24 dev host0");

    let addresses = host_socket.addresses(Some(host_end.index)).unwrap();

    let find = |text: &str| {
        addresses
            .iter()
            .find(|a| a.address.to_string() == text)
            .unwrap()
    };
    let deprecated = find("fd00:1::1/64");
    assert!(deprecated.deprecated && !deprecated.permanent && !deprecated.temporary);
    let leased = find("10.0.0.1/24");
    assert!(!leased.deprecated && !leased.permanent);
    // The flags "secondary" of IPv4 and "temporary" of IPv6 are the same bit.
    assert_eq!(find("10.0.0.2/24"), &address(host_end.index, "10.0.0.2/24"));
}
