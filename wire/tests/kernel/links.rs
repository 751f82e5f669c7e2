//! Links, against the kernel.

use std::slice;

use crate::support::{ConnectedNetns, ip, joined, netns, pair};
use nix::errno::Errno;
use wire::netlink::{Ipv4Settings, Link, LinkChange, Mac, NetlinkRequest, VethPair};
use wire::sysctl;

#[test]
fn veth_pair_is_created_in_two_namespaces() {
    let (host, pod) = (netns(), netns());
    let mut socket = host.socket().unwrap();

    let (host_index, pod_index) = socket
        .add_veth(&VethPair {
            group: 70,
            ..pair(&pod)
        })
        .unwrap();

    let here = socket.link_by_name("host0").unwrap().unwrap();
    assert_eq!(here.index, host_index);
    assert_eq!(here.mac, Some(Mac([2, 0, 0, 0, 0, 1])));
    assert_eq!((here.mtu, here.up, here.group), (1450, false, 70));
    assert_eq!(here.kind.as_deref(), Some("veth"));
    assert_eq!(here.link, Some(pod_index));
    let there = pod
        .socket()
        .unwrap()
        .link_by_index(pod_index)
        .unwrap()
        .unwrap();
    assert_eq!(there.name, "eth0");
    assert_eq!(there.mac, Some(Mac([2, 0, 0, 0, 0, 2])));
    assert_eq!((there.mtu, there.up, there.group), (1450, false, 0));
    for (namespace, name) in [(&host, "host0"), (&pod, "eth0")] {
        let details = ip(namespace, &format!("-d link show dev {name}"));
        assert!(
            details.contains("numtxqueues 1 numrxqueues 1 "),
            "{details}"
        );
    }
}

#[test]
fn pair_with_taken_name_is_refused_entirely() {
    let (host, pod) = (netns(), netns());
    let mut socket = host.socket().unwrap();
    socket.add_veth(&pair(&pod)).unwrap();
    let before = (
        socket.links().unwrap(),
        pod.socket().unwrap().links().unwrap(),
    );

    let error = socket
        .add_veth(&VethPair {
            peer_name: "eth1".into(),
            ..pair(&pod)
        })
        .unwrap_err();

    assert_eq!(error.errno(), Some(Errno::EEXIST));
    assert!(
        error
            .to_string()
            .starts_with("ip link add host0 address 02:00"),
        "{error}"
    );
    assert_eq!(
        (
            socket.links().unwrap(),
            pod.socket().unwrap().links().unwrap()
        ),
        before
    );
}

#[test]
fn pair_with_taken_peer_name_is_refused_entirely() {
    let (host, pod) = (netns(), netns());
    let mut socket = host.socket().unwrap();
    socket.add_veth(&pair(&pod)).unwrap();

    let error = socket
        .add_veth(&VethPair {
            name: "host1".into(),
            ..pair(&pod)
        })
        .unwrap_err();

    assert_eq!(error.errno(), Some(Errno::EEXIST));
    assert_eq!(socket.link_by_name("host1").unwrap(), None);
}

#[test]
fn every_link_change_is_applied() {
    let mut joined = joined();
    let ConnectedNetns {
        host_socket,
        host_end,
        ..
    } = &mut joined;
    let change = LinkChange {
        up: Some(false),
        mtu: Some(1400),
        name: Some("renamed0".into()),
        group: Some(7),
        alias: Some("pod default/web-0".into()),
        ..LinkChange::default()
    };

    host_socket
        .apply_all(&[NetlinkRequest::ChangeLink {
            index: host_end.index,
            change,
        }])
        .unwrap();

    let expected = Link {
        up: false,
        running: false,
        mtu: 1400,
        name: "renamed0".into(),
        group: 7,
        alias: Some("pod default/web-0".into()),
        ..host_end.clone()
    };
    assert_eq!(
        host_socket.link_by_index(expected.index).unwrap(),
        Some(expected)
    );
}

#[test]
fn ipv4_settings_change_no_other_setting() {
    const NAMES: [&str; 5] = [
        "proxy_arp",
        "rp_filter",
        "forwarding",
        "send_redirects",
        "accept_local",
    ];
    let mut joined = joined();
    let ConnectedNetns {
        host,
        host_socket,
        host_end,
        ..
    } = &mut joined;
    let read = || {
        let read = |name| sysctl::read(&format!("net/ipv4/conf/host0/{name}")).unwrap();
        host.run(|| NAMES.map(read)).unwrap()
    };
    assert_eq!(read(), ["0", "0", "0", "1", "0"]);
    let mut set = |ipv4| {
        let change = LinkChange {
            ipv4,
            ..LinkChange::default()
        };
        host_socket
            .apply_all(&[NetlinkRequest::ChangeLink {
                index: host_end.index,
                change,
            }])
            .unwrap();
    };

    set(Ipv4Settings {
        proxy_arp: true,
        ..Ipv4Settings::default()
    });
    assert_eq!(read(), ["1", "0", "0", "1", "0"]);
    set(Ipv4Settings {
        strict_rp_filter: true,
        ..Ipv4Settings::default()
    });
    assert_eq!(read(), ["1", "1", "0", "1", "0"]);
    set(Ipv4Settings {
        forwarding: true,
        ..Ipv4Settings::default()
    });
    assert_eq!(read(), ["1", "1", "1", "1", "0"]);
}

#[test]
fn link_up_without_link_local_address_gets_none() {
    let (host, pod) = (netns(), netns());
    let mut host_socket = host.socket().unwrap();
    let mut pod_socket = pod.socket().unwrap();
    let (host_index, pod_index) = host_socket.add_veth(&pair(&pod)).unwrap();
    let quiet_and_up = LinkChange {
        up: Some(true),
        no_ipv6_link_local: true,
        ..LinkChange::default()
    };

    for (socket, index) in [(&mut host_socket, host_index), (&mut pod_socket, pod_index)] {
        let change = quiet_and_up.clone();
        socket
            .apply_all(&[NetlinkRequest::ChangeLink { index, change }])
            .unwrap();
    }

    assert!(
        host_socket
            .link_by_index(host_index)
            .unwrap()
            .unwrap()
            .running
    );
    assert_eq!(host_socket.addresses(None).unwrap(), []);
    assert_eq!(pod_socket.addresses(None).unwrap(), []);
    let mode = |name: &str| sysctl::read(&format!("net/ipv6/conf/{name}/addr_gen_mode")).unwrap();
    assert_eq!(host.run(|| mode("host0")).unwrap(), "1");
    assert_eq!(pod.run(|| mode("eth0")).unwrap(), "1");
}

#[test]
fn deleting_a_veth_deletes_its_peer() {
    let mut joined = joined();
    let ConnectedNetns {
        host_socket,
        host_end,
        pod_socket,
        pod_end,
        ..
    } = &mut joined;

    host_socket
        .apply_all(&[NetlinkRequest::DelLink {
            index: host_end.index,
        }])
        .unwrap();

    assert_eq!(host_socket.link_by_index(host_end.index).unwrap(), None);
    assert_eq!(pod_socket.link_by_index(pod_end.index).unwrap(), None);
}

#[test]
fn link_is_deleted_by_name_once() {
    let mut joined = joined();
    let ConnectedNetns { host_socket, .. } = &mut joined;
    let delete = NetlinkRequest::DelLinkNamed {
        name: "host0".into(),
    };

    host_socket
        .apply_all(std::slice::from_ref(&delete))
        .unwrap();
    let error = host_socket.apply_all(&[delete]).unwrap_err();

    assert_eq!(error.errno(), Some(Errno::ENODEV));
    assert_eq!(error.to_string(), "ip link del host0: No such device");
}

#[test]
fn missing_link_is_none() {
    let mut socket = netns().socket().unwrap();

    assert_eq!(socket.link_by_name("nothing0").unwrap(), None);
    assert_eq!(socket.link_by_index(4711).unwrap(), None);
    let names: Vec<String> = socket
        .links()
        .unwrap()
        .into_iter()
        .map(|link| link.name)
        .collect();
    assert_eq!(names, ["lo"]);
}

#[test]
fn loopback_is_recognised() {
    let mut joined = joined();
    let ConnectedNetns { host_socket, .. } = &mut joined;

    let links = host_socket.links().unwrap();

    let seen: Vec<_> = links
        .iter()
        .map(|l| (l.name.as_str(), l.loopback, l.up))
        .collect();
    assert_eq!(seen, [("lo", true, true), ("host0", false, true)]);
}

#[test]
fn group_deletion_deletes_only_its_links() {
    let (host, pods) = (netns(), [netns(), netns(), netns()]);
    let mut socket = host.socket().unwrap();
    for (number, pod) in pods.iter().enumerate() {
        socket
            .add_veth(&VethPair {
                name: format!("host{number}"),
                group: if number == 0 { 0 } else { 70 },
                ..pair(pod)
            })
            .unwrap();
    }
    let request = NetlinkRequest::DelLinkGroup { group: 70 };

    socket.apply_all(slice::from_ref(&request)).unwrap();

    let names: Vec<String> = socket
        .links()
        .unwrap()
        .into_iter()
        .map(|link| link.name)
        .collect();
    assert!(names.contains(&"host0".to_owned()), "{names:?}");
    assert!(
        !names.contains(&"host1".to_owned()) && !names.contains(&"host2".to_owned()),
        "{names:?}"
    );
    let error = socket.apply_all(slice::from_ref(&request)).unwrap_err();
    assert_eq!(error.errno(), Some(Errno::ENODEV));
}
