//! The source address that a backend sees, by the way of the client.

use std::net::IpAddr;

use lab::probe::PORT;
use lab::{Machine, Result};

use crate::cluster::{Client, Mode, backend, host_backend, outside, proxy, raise};
use crate::service::Service;

/// Queries the node port of `service` on a node and compares the source addresses that its backend
/// saw.
fn assert_seen_by_node_port(
    who: &str,
    client: Client<'_>,
    node: &Machine,
    service: &Service,
    expected: &[IpAddr],
) -> Result {
    let seen = client
        .seen(node.addresses(), service.node_port())
        .map_err(|error| error.doing(format!("{who} to {} of {}", service.name, node.name())))?;
    assert_eq!(
        seen,
        expected,
        "{who} to {} of {}",
        service.name,
        node.name()
    );
    Ok(())
}

/// By `ClusterIP`: the source address of pods is kept, to pods and to nodes, and so is that of
/// nodes. A pod that reaches itself through a Service has its node's address.
fn cluster_ips(mode: Mode) -> Result {
    let lab = raise()?;
    let [one, two] = [lab.node(1), lab.node(2)];
    let (near, far) = (backend(&lab, 1, "near")?, backend(&lab, 2, "far")?);
    let (host, _server) = host_backend(two)?;
    let (here, there) = (one.add_pod("here")?, two.add_pod("there")?);
    let services = [
        Service::new("near", 1, &[&near.endpoint]),
        Service::new("far", 2, &[&far.endpoint]),
        Service::new("host", 3, &[&host]),
    ];
    proxy(&lab, mode, &services)?;

    let clients = [
        Client::Pod(&here),
        Client::Pod(&there),
        Client::Machine(one),
        Client::Machine(two),
    ];
    for client in clients {
        for service in &services {
            let seen = client.seen_through(service)?;
            assert_eq!(seen, client.addresses(), "{}", service.name);
        }
    }
    // Hairpin: kube-proxy masquerades packets that return to their sender.
    let seen = Client::Pod(&near.pod).seen_through(&services[0])?;
    assert_eq!(seen, one.addresses(), "hairpin");
    let seen = Client::Pod(&far.pod).seen_through(&services[1])?;
    assert_eq!(seen, two.addresses(), "hairpin");
    // A headless Service resolves to its backends' own addresses.
    for client in clients {
        for backend in [&near, &far] {
            let seen = client.seen(&backend.endpoint.addresses, PORT)?;
            assert_eq!(seen, client.addresses(), "headless");
        }
    }
    Ok(())
}

/// By node ports: with `externalTrafficPolicy: Cluster` every client has the address of the node
/// that it contacted; with `Local`, clients from outside keep their address, and pods are treated
/// as in the cluster.
fn node_ports(mode: Mode) -> Result {
    let lab = raise()?;
    let [one, two] = [lab.node(1), lab.node(2)];
    let (near, far) = (backend(&lab, 1, "near")?, backend(&lab, 2, "far")?);
    let (here, outside) = (one.add_pod("here")?, outside(&lab)?);
    let services = [
        Service::new("near", 1, &[&near.endpoint]),
        Service::new("far", 2, &[&far.endpoint]),
        Service {
            local: true,
            ..Service::new("local", 3, &[&near.endpoint])
        },
    ];
    proxy(&lab, mode, &services)?;
    let [near, far, local] = &services;

    for (who, client) in [
        ("outside", Client::Machine(&outside)),
        ("a pod", Client::Pod(&here)),
        ("node n1", Client::Machine(one)),
        ("node n2", Client::Machine(two)),
    ] {
        for service in [near, far] {
            for node in [one, two] {
                assert_seen_by_node_port(who, client, node, service, node.addresses())?;
            }
        }
    }

    let external = Client::Machine(&outside);
    assert_seen_by_node_port("outside", external, one, local, outside.addresses())?;
    let pod = Client::Pod(&here);
    assert_seen_by_node_port("a pod", pod, one, local, &here.addresses())?;
    assert_seen_by_node_port("node n1", Client::Machine(one), one, local, one.addresses())?;
    // There is no backend on this node: Kubernetes drops the packet.
    for answer in external.query(two.addresses(), local.node_port())? {
        assert!(!answer.is_answered(), "{answer:?}");
    }
    Ok(())
}

#[test]
fn cluster_ips_by_iptables_keep_client_addresses() -> Result {
    cluster_ips(Mode::Iptables)
}

#[test]
fn cluster_ips_by_nftables_keep_client_addresses() -> Result {
    cluster_ips(Mode::Nftables)
}

#[test]
fn node_ports_by_iptables_follow_the_traffic_policy() -> Result {
    node_ports(Mode::Iptables)
}

#[test]
fn node_ports_by_nftables_follow_the_traffic_policy() -> Result {
    node_ports(Mode::Nftables)
}

#[test]
fn node_ports_on_loopback_reach_local_and_remote_pods() -> Result {
    let lab = raise()?;
    let one = lab.node(1);
    let (near, far) = (backend(&lab, 1, "near")?, backend(&lab, 2, "far")?);
    let services = [
        Service::new("near", 1, &[&near.endpoint]),
        Service::new("far", 2, &[&far.endpoint]),
    ];
    proxy(&lab, Mode::Iptables, &services)?;

    for service in &services {
        let loopback = ["127.0.0.1".parse().expect("an address")];
        let seen = Client::Machine(one).seen(&loopback, service.node_port())?;
        assert_eq!(seen, one.addresses()[..1], "{}", service.name);
    }
    Ok(())
}
