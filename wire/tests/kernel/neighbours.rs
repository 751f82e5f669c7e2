//! Neighbours.

use nix::errno::Errno;
use wire::netlink::{Mac, Neighbour, Request};

use crate::support::{Joined, ip, joined};

#[test]
fn an_added_neighbour_is_listed_just_so_and_goes_again() {
    let mut joined = joined();
    let Joined {
        pod_socket,
        pod_end,
        ..
    } = &mut joined;
    let link = pod_end.index;

    for address in ["169.254.1.1", "fe80::1"] {
        let mac = Mac([2, 0, 0, 0, 0, 9]);
        let neighbour = Neighbour {
            link,
            address: address.parse().unwrap(),
            mac,
        };
        pod_socket
            .apply_all(&[Request::AddNeighbour(neighbour)])
            .unwrap();
        assert_eq!(pod_socket.neighbours(link).unwrap(), [neighbour]);

        pod_socket
            .apply_all(&[Request::DelNeighbour(neighbour)])
            .unwrap();
        assert_eq!(pod_socket.neighbours(link).unwrap(), []);
        let error = pod_socket
            .apply_all(&[Request::DelNeighbour(neighbour)])
            .unwrap_err();
        assert_eq!(error.errno(), Some(Errno::ENOENT));
    }
}

#[test]
fn a_neighbour_that_is_there_gets_the_new_hardware_address() {
    let mut joined = joined();
    let Joined {
        pod_socket,
        pod_end,
        ..
    } = &mut joined;
    let old = Neighbour {
        link: pod_end.index,
        address: "10.0.0.9".parse().unwrap(),
        mac: Mac([2, 0, 0, 0, 0, 9]),
    };
    let new = Neighbour {
        mac: Mac([2, 0, 0, 0, 0, 10]),
        ..old
    };

    pod_socket
        .apply_all(&[Request::AddNeighbour(old), Request::AddNeighbour(new)])
        .unwrap();

    assert_eq!(pod_socket.neighbours(pod_end.index).unwrap(), [new]);
}

#[test]
fn only_permanent_neighbours_of_the_link_are_listed() {
    let mut joined = joined();
    let Joined {
        host,
        host_socket,
        host_end,
        ..
    } = &mut joined;
    ip(
        host,
        "neighbour add 10.0.0.9 lladdr 02:00:00:00:00:09 nud stale dev host0",
    );
    ip(
        host,
        "neighbour add 10.0.0.8 lladdr 02:00:00:00:00:08 nud permanent dev lo",
    );
    ip(
        host,
        "neighbour add 10.0.0.7 lladdr 02:00:00:00:00:07 nud permanent dev host0",
    );

    let neighbours = host_socket.neighbours(host_end.index).unwrap();

    let mac = Mac([2, 0, 0, 0, 0, 7]);
    let address = "10.0.0.7".parse().unwrap();
    assert_eq!(
        neighbours,
        [Neighbour {
            link: host_end.index,
            address,
            mac
        }]
    );
}
