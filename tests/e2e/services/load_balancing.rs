//! Load balancing of Services over backends, and session affinity.

use lab::{Lab, Pod, Result};

use crate::cluster::{Client, Mode, ServiceBackend, backend, outside, proxy, raise};
use crate::service::{IpVersion, SERVICE_PORT, Service};

/// With this number of connections, all of them reach one of two backends by chance once in a
/// million runs.
const CONNECTIONS: usize = 21;

/// Two backends, one on each node, that count their connections.
fn counting(lab: &Lab) -> Result<[ServiceBackend<'_>; 2]> {
    let both = [backend(lab, 1, "near")?, backend(lab, 2, "far")?];
    let rules = "table inet count { chain input { type filter hook input priority 0; \
                 tcp flags & (syn | ack) == syn counter; }; }";
    for backend in &both {
        backend.pod.run(&["nft", rules])?;
    }
    Ok(both)
}

/// The number of connections of a pod up to now.
fn connections(pod: &Pod<'_>) -> Result<usize> {
    let text = pod.run(&["nft", "list", "table", "inet", "count"])?;
    let mut words = text.split_whitespace();
    words.find(|word| *word == "packets");
    Ok(words.next().and_then(|word| word.parse().ok()).unwrap_or(0))
}

/// The number of `count` connections to a Service that each of two backends gets; all are answered.
fn spread(
    client: Client<'_>,
    service: &Service,
    version: IpVersion,
    count: usize,
    backends: &[ServiceBackend<'_>; 2],
) -> Result<[usize; 2]> {
    let now = || -> Result<[usize; 2]> {
        let [one, two] = backends;
        Ok([connections(&one.pod)?, connections(&two.pod)?])
    };
    let before = now()?;
    client.seen(&vec![service.address(version); count], SERVICE_PORT)?;
    let after = now()?;
    Ok([after[0] - before[0], after[1] - before[1]])
}

fn spread_or_stay(mode: Mode) -> Result {
    let lab = raise()?;
    let backends = counting(&lab)?;
    let [near, far] = backends.each_ref().map(|backend| &backend.endpoint);
    let here = lab.node(1).add_pod("here")?;
    let any = Service::new("any", 1, &[near, far]);
    let sticky = Service {
        sticky: true,
        ..Service::new("sticky", 2, &[near, far])
    };
    proxy(&lab, mode, &[any.clone(), sticky.clone()])?;

    for client in [Client::Pod(&here), Client::Machine(lab.node(2))] {
        for version in IpVersion::BOTH {
            let [one, two] = spread(client, &any, version, CONNECTIONS, &backends)?;
            assert!(
                one > 0 && two > 0 && one + two == CONNECTIONS,
                "{one} and {two}"
            );

            let first = spread(client, &sticky, version, 1, &backends)?;
            let then = spread(client, &sticky, version, CONNECTIONS, &backends)?;
            assert_eq!(then, first.map(|first| first * CONNECTIONS), "{version:?}");
        }
    }
    Ok(())
}

/// By the node port of the other node, from outside: the client is masqueraded, but session
/// affinity goes by its own address.
fn outside_clients_stay(mode: Mode) -> Result {
    let lab = raise()?;
    let backends = counting(&lab)?;
    let [near, far] = backends.each_ref().map(|backend| &backend.endpoint);
    let external = outside(&lab)?;
    let sticky = Service {
        sticky: true,
        ..Service::new("sticky", 2, &[near, far])
    };
    proxy(&lab, mode, std::slice::from_ref(&sticky))?;

    let client = Client::Machine(&external);
    for address in lab.node(2).addresses() {
        let before = [
            connections(&backends[0].pod)?,
            connections(&backends[1].pod)?,
        ];
        client.seen(&[*address], sticky.node_port())?;
        client.seen(&[*address; CONNECTIONS], sticky.node_port())?;
        let after = [
            connections(&backends[0].pod)?,
            connections(&backends[1].pod)?,
        ];
        let mut got = [after[0] - before[0], after[1] - before[1]];
        got.sort_unstable();
        assert_eq!(got, [0, CONNECTIONS + 1], "{address}");
    }
    Ok(())
}

#[test]
fn clients_by_iptables_are_spread_or_stay_with_a_backend() -> Result {
    spread_or_stay(Mode::Iptables)
}

#[test]
fn clients_by_nftables_are_spread_or_stay_with_a_backend() -> Result {
    spread_or_stay(Mode::Nftables)
}

#[test]
fn outside_clients_by_iptables_stay_with_their_backend() -> Result {
    outside_clients_stay(Mode::Iptables)
}

#[test]
fn outside_clients_by_nftables_stay_with_their_backend() -> Result {
    outside_clients_stay(Mode::Nftables)
}
