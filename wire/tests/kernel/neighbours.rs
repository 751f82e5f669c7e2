//! Neighbour entries, against the kernel.

use std::time::Duration;

use nix::errno::Errno;
use wire::netlink::{Mac, Neighbour, NetlinkRequest};

use crate::support::{ConnectedNetns, ip, joined};

#[test]
fn added_neighbour_is_listed_unchanged_and_removed() {
    let mut joined = joined();
    let ConnectedNetns {
        pod_socket,
        pod_end,
        ..
    } = &mut joined;
    let link = pod_end.index;

    for (address, permanent) in [
        ("169.254.1.1", true),
        ("fe80::1", true),
        ("169.254.1.1", false),
        ("fe80::1", false),
    ] {
        let mac = Mac([2, 0, 0, 0, 0, 9]);
        let neighbour = Neighbour {
            link,
            address: address.parse().unwrap(),
            mac,
            permanent,
        };
        pod_socket
            .apply_all(&[NetlinkRequest::AddNeighbour(neighbour)])
            .unwrap();
        assert_eq!(pod_socket.neighbours(link).unwrap(), [neighbour]);
        let found = pod_socket.neighbour(link, neighbour.address).unwrap();
        assert_eq!(found, Some(neighbour));

        pod_socket
            .apply_all(&[NetlinkRequest::DelNeighbour(neighbour)])
            .unwrap();
        assert_eq!(pod_socket.neighbours(link).unwrap(), []);
        let found = pod_socket.neighbour(link, neighbour.address).unwrap();
        assert_eq!(found, None);
        let error = pod_socket
            .apply_all(&[NetlinkRequest::DelNeighbour(neighbour)])
            .unwrap_err();
        assert_eq!(error.errno(), Some(Errno::ENOENT));
    }
}

#[test]
fn adding_existing_neighbour_updates_its_mac() {
    let mut joined = joined();
    let ConnectedNetns {
        pod_socket,
        pod_end,
        ..
    } = &mut joined;
    let old = Neighbour {
        link: pod_end.index,
        address: "10.0.0.9".parse().unwrap(),
        mac: Mac([2, 0, 0, 0, 0, 9]),
        permanent: false,
    };
    let new = Neighbour {
        mac: Mac([2, 0, 0, 0, 0, 10]),
        ..old
    };

    pod_socket
        .apply_all(&[
            NetlinkRequest::AddNeighbour(old),
            NetlinkRequest::AddNeighbour(new),
        ])
        .unwrap();

    assert_eq!(pod_socket.neighbours(pod_end.index).unwrap(), [new]);
}

#[test]
fn only_valid_neighbours_of_the_link_are_listed() {
    let mut joined = joined();
    let ConnectedNetns {
        host,
        host_socket,
        host_end,
        ..
    } = &mut joined;
    for (number, rest) in [
        (6, "nud failed dev host0"),
        (7, "lladdr 02:00:00:00:00:07 nud permanent dev host0"),
        (8, "lladdr 02:00:00:00:00:08 nud permanent dev lo"),
        (9, "lladdr 02:00:00:00:00:09 nud stale dev host0"),
    ] {
        ip(host, &format!("neighbour add 10.0.0.{number} {rest}"));
    }

    let mut neighbours = host_socket.neighbours(host_end.index).unwrap();

    neighbours.sort_by_key(|neighbour| neighbour.address);
    let neighbour = |number, permanent| Neighbour {
        link: host_end.index,
        address: [10, 0, 0, number].into(),
        mac: Mac([2, 0, 0, 0, 0, number]),
        permanent,
    };
    assert_eq!(neighbours, [neighbour(7, true), neighbour(9, false)]);
}

#[test]
fn proxy_arp_replies_after_the_configured_delay() {
    let mut joined = joined();
    let ConnectedNetns {
        host,
        host_socket,
        host_end,
        ..
    } = &mut joined;
    let delays = |host: &_| {
        ["host0", "lo"].map(|link| {
            let listed = ip(host, &format!("ntable show dev {link} name arp_cache"));
            let mut words = listed.split_whitespace();
            words.find(|word| *word == "proxy_delay").unwrap();
            words.next().unwrap().to_owned()
        })
    };
    assert_eq!(delays(host), ["800", "800"]);

    let request = NetlinkRequest::SetProxyDelay {
        link: host_end.index,
        delay: Duration::from_millis(20),
    };
    host_socket.apply_all(&[request]).unwrap();

    assert_eq!(delays(host), ["20", "800"]);
}
