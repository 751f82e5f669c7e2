use super::*;

fn range(protocol: L4Protocol, first: u16, last: u16) -> PortMatch {
    PortMatch::Range {
        protocol,
        first,
        last,
    }
}

fn named(name: &str, protocol: Option<L4Protocol>) -> PortMatch {
    let name = name.into();
    PortMatch::Named { name, protocol }
}

fn own(name: &str, protocol: L4Protocol, port: u16) -> NamedPort {
    NamedPort {
        name: name.to_owned(),
        protocol,
        port,
    }
}

/// For example `tcp 80 90-95`, or `names http`.
fn shown(parts: &[PortPart]) -> Vec<String> {
    let show = |part: &PortPart| match part {
        PortPart::Any => "any".to_owned(),
        PortPart::Numbers(protocol, ranges) => {
            let ranges: Vec<_> = ranges.iter().map(ToString::to_string).collect();
            format!("{protocol} {}", ranges.join(" "))
        }
        PortPart::Named(all) => {
            let names: Vec<_> = all.iter().map(|it| &*it.name).collect();
            format!("names {}", names.join(" "))
        }
    };
    parts.iter().map(show).collect()
}

#[test]
fn ports_of_a_protocol_are_one_part() {
    use L4Protocol::{Tcp, Udp};
    let cases = [
        (vec![], vec![]),
        (vec![range(Tcp, 80, 80)], vec!["tcp 80"]),
        (
            vec![
                range(Tcp, 443, 443),
                range(Udp, 53, 53),
                range(Tcp, 80, 80),
                range(Tcp, 81, 90),
                range(Tcp, 85, 86),
            ],
            vec!["tcp 80-90 443", "udp 53"],
        ),
        (
            vec![range(Tcp, 0, u16::MAX), range(Tcp, u16::MAX, u16::MAX)],
            vec!["tcp 0-65535"],
        ),
        (
            vec![named("b", None), range(Tcp, 1, 1), named("a", Some(Tcp))],
            vec!["tcp 1", "names a b"],
        ),
    ];
    for (ports, expected) in cases {
        assert_eq!(
            shown(&port_parts(Some(&ports), None)),
            expected,
            "{ports:?}"
        );
    }
    assert_eq!(port_parts(None, None), [PortPart::Any]);
}

#[test]
fn named_ports_of_the_selected_pods_are_numbers() {
    use L4Protocol::{Tcp, Udp};
    let ports = [
        named("web", Some(Tcp)),
        named("dns", None),
        range(Tcp, 81, 81),
        named("none", None),
    ];
    let of_pods = [
        own("web", Tcp, 80),
        own("web", Udp, 80),
        own("dns", Tcp, 53),
        own("dns", Udp, 53),
    ];
    let found = shown(&port_parts(Some(&ports), Some(&of_pods)));
    assert_eq!(found, ["tcp 53 80-81", "udp 53"]);
    assert_eq!(shown(&port_parts(Some(&ports[..1]), Some(&[]))), [""; 0]);
}

#[test]
fn prefixes_of_a_rule_are_one_part() {
    let network = |cidr: &str| {
        let network = NetworkSet::parse([&cidr.to_owned()], []).unwrap();
        CompiledPeer::Networks(network)
    };
    let pods = CompiledPeer::Pods(PodSelector::everything());
    let peers = [
        network("10.1.0.0/16"),
        pods.clone(),
        network("10.0.0.0/16"),
        network("10.1.0.0/16"),
    ];
    let found = peer_parts(&peers);
    let PeerPart::Networks(networks) = &found[1] else {
        panic!("{found:?}");
    };
    assert_eq!((found.len(), networks.len()), (2, 2));
    assert_eq!(
        peer_parts(&[pods, CompiledPeer::Everything, network("::/0")]),
        [PeerPart::Everything]
    );
    assert_eq!(peer_parts(&[]), []);
}
