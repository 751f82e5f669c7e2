//! Batches of requests, against the kernel.

use std::net::{IpAddr, Ipv4Addr};
use std::thread;

use ipnet::IpNet;
use nix::errno::Errno;
use wire::ROUTE_PROTOCOL;
use wire::netlink::{Address, Error, NetlinkRequest, Route, RouteKind};

use crate::support::{ConnectedNetns, joined};

const GATEWAY: &str = "192.168.1.20";

/// The route to the nth /24 of 10.0.0.0/8 through the host end.
fn route(number: u16, via: &str, dev: u32) -> Route {
    let [high, low] = number.to_be_bytes();
    let dst = IpNet::new(Ipv4Addr::new(10, high, low, 0).into(), 24).unwrap();
    let via: IpAddr = via.parse().unwrap();
    Route {
        via: Some(via),
        dev: Some(dev),
        ..Route::new(dst, RouteKind::Unicast)
    }
}

fn host() -> ConnectedNetns {
    let mut joined = joined();
    let address = Address::new(joined.host_end.index, "192.168.1.10/24".parse().unwrap());
    joined
        .host_socket
        .apply_all(&[NetlinkRequest::AddAddress(address)])
        .unwrap();
    joined
}

fn index(error: &Error) -> usize {
    match error {
        Error::Refused { index, .. } => *index,
        other => panic!("{other}"),
    }
}

#[test]
fn empty_batch_does_nothing() {
    assert!(host().host_socket.apply(&[]).unwrap().is_empty());
}

#[test]
fn bad_routes_in_a_batch_are_reported_and_rest_applied() {
    const BAD: [u16; 3] = [500, 501, 575];
    let mut joined = host();
    let ConnectedNetns {
        host_socket,
        host_end,
        ..
    } = &mut joined;
    let requests: Vec<NetlinkRequest> = (0..1000)
        .map(|number| {
            let via = if BAD.contains(&number) {
                "172.31.0.1"
            } else {
                GATEWAY
            };
            NetlinkRequest::AddRoute(route(number, via, host_end.index))
        })
        .collect();

    let failures = host_socket.apply(&requests).unwrap();

    assert_eq!(
        failures.iter().map(index).collect::<Vec<_>>(),
        BAD.map(usize::from)
    );
    for failure in &failures {
        assert_eq!(failure.errno(), Some(Errno::ENETUNREACH));
        assert!(
            failure.to_string().contains("Nexthop has invalid gateway"),
            "{failure}"
        );
    }
    let ours = host_socket.routes(Some(ROUTE_PROTOCOL)).unwrap();
    assert_eq!(ours.len(), 997);
}

#[test]
fn thousand_refusals_are_all_reported() {
    let mut joined = host();
    let ConnectedNetns {
        host_socket,
        host_end,
        ..
    } = &mut joined;
    let requests: Vec<NetlinkRequest> = (0..1000)
        .map(|number| NetlinkRequest::DelRoute(route(number, GATEWAY, host_end.index)))
        .collect();

    let failures = host_socket.apply(&requests).unwrap();

    assert_eq!(
        failures.iter().map(index).collect::<Vec<_>>(),
        (0..1000).collect::<Vec<_>>()
    );
    assert!(
        failures
            .iter()
            .all(|failure| failure.errno() == Some(Errno::ESRCH))
    );
}

#[test]
fn refusal_of_the_last_request_is_reported() {
    let mut joined = host();
    let ConnectedNetns {
        host_socket,
        host_end,
        ..
    } = &mut joined;
    for length in [1, 2, 63, 64, 65, 128, 129] {
        let mut requests: Vec<NetlinkRequest> = (0..length)
            .map(|number| NetlinkRequest::ReplaceRoute(route(number, GATEWAY, host_end.index)))
            .collect();
        let last = requests.len() - 1;
        requests[last] = NetlinkRequest::DelRoute(route(9999, GATEWAY, host_end.index));

        let failures = host_socket.apply(&requests).unwrap();

        assert_eq!(failures.iter().map(index).collect::<Vec<_>>(), [last]);
    }
}

#[test]
fn apply_all_returns_the_first_refusal() {
    let mut joined = host();
    let ConnectedNetns {
        host_socket,
        host_end,
        ..
    } = &mut joined;
    let requests = [
        NetlinkRequest::AddRoute(route(1, GATEWAY, host_end.index)),
        NetlinkRequest::DelRoute(route(2, GATEWAY, host_end.index)),
        NetlinkRequest::DelLink { index: 4711 },
    ];

    let error = host_socket.apply_all(&requests).unwrap_err();

    assert_eq!((index(&error), error.errno()), (1, Some(Errno::ESRCH)));
}

#[test]
fn missing_multicast_route_is_no_failure() {
    let mut joined = host();
    let ConnectedNetns {
        host_socket,
        host_end,
        ..
    } = &mut joined;
    let link = host_end.index;
    let gone = || NetlinkRequest::DelMulticastRoute { link: 1 };
    let missing = || NetlinkRequest::DelRoute(route(2, GATEWAY, link));

    let requests = [
        gone(),
        NetlinkRequest::AddRoute(route(1, GATEWAY, link)),
        gone(),
    ];
    host_socket.apply_all(&requests).unwrap();
    let listed = host_socket.routes(None).unwrap();
    assert!(listed.contains(&route(1, GATEWAY, link)), "{listed:?}");

    let failures = host_socket.apply(&[missing(), gone()]).unwrap();
    assert_eq!(failures.iter().map(index).collect::<Vec<_>>(), [0]);
}

#[test]
fn two_sockets_work_at_once() {
    let mut joined = host();
    let ConnectedNetns {
        host,
        host_socket,
        host_end,
        ..
    } = &mut joined;
    let requests = |offset: u16| -> Vec<NetlinkRequest> {
        (offset..offset + 500)
            .map(|number| NetlinkRequest::AddRoute(route(number, GATEWAY, host_end.index)))
            .collect()
    };
    let ours = Some(ROUTE_PROTOCOL);

    thread::scope(|scope| {
        for offset in [0, 1000] {
            let (host, requests) = (&host, requests(offset));
            scope.spawn(move || {
                let mut socket = host.socket().unwrap();
                assert!(socket.apply(&requests).unwrap().is_empty());
                assert!(socket.routes(ours).unwrap().len() >= 500);
            });
        }
    });

    assert_eq!(host_socket.routes(ours).unwrap().len(), 1000);
}
