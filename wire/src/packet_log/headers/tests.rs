use proptest::prelude::*;

use super::*;

fn v4(protocol: u8, options: usize, fragment: u16, rest: &[u8]) -> Vec<u8> {
    let mut header = vec![0; V4_HEADER + options];
    header[0] = 0x40 | u8::try_from(header.len() / V4_UNIT).unwrap();
    header[6..8].copy_from_slice(&fragment.to_be_bytes());
    header[9] = protocol;
    header[12..20].copy_from_slice(&[10, 244, 1, 2, 10, 244, 2, 3]);
    [&header, rest].concat()
}

fn v6(next: u8, rest: &[u8]) -> Vec<u8> {
    let mut header = vec![0; V6_HEADER];
    (header[0], header[6]) = (0x60, next);
    (header[8], header[23]) = (0xfd, 1);
    (header[24], header[39]) = (0xfd, 2);
    [&header, rest].concat()
}

fn shown(packet: &[u8]) -> String {
    let Some(headers) = PacketHeaders::parse(packet) else {
        return "none".to_owned();
    };
    let PacketHeaders {
        source,
        destination,
        protocol,
        ports,
    } = headers;
    let (from, to) = ports.map_or_else(Default::default, |(from, to)| {
        (format!(":{from}"), format!(":{to}"))
    });
    format!("{protocol} {source}{from} -> {destination}{to}")
}

const PORTS: [u8; 4] = [0x9c, 0x40, 0, 80];

#[test]
fn ipv4_packet_has_ports_unless_it_is_a_later_fragment() {
    let dont_fragment = 0x4000;
    for (packet, expected) in [
        (
            v4(6, 0, dont_fragment, &PORTS),
            "tcp 10.244.1.2:40000 -> 10.244.2.3:80",
        ),
        (
            v4(17, 40, 0, &PORTS),
            "udp 10.244.1.2:40000 -> 10.244.2.3:80",
        ),
        // The first fragment, and a later one.
        (
            v4(132, 0, 0x2000, &PORTS),
            "sctp 10.244.1.2:40000 -> 10.244.2.3:80",
        ),
        (v4(6, 0, 0x2001, &PORTS), "tcp 10.244.1.2 -> 10.244.2.3"),
        (v4(1, 0, 0, &PORTS), "icmp 10.244.1.2 -> 10.244.2.3"),
        (v4(6, 0, 0, &PORTS[..3]), "tcp 10.244.1.2 -> 10.244.2.3"),
        (v4(6, 0, 0, &[])[..19].to_vec(), "none"),
        (v4(6, 4, 0, &[])[..20].to_vec(), "none"),
        ([&[0x44], &v4(6, 0, 0, &PORTS)[1..]].concat(), "none"),
        ([&[0x55], &v4(6, 0, 0, &PORTS)[1..]].concat(), "none"),
        (vec![], "none"),
    ] {
        assert_eq!(shown(&packet), expected, "{packet:?}");
    }
}

#[test]
fn ipv6_extension_headers_are_skipped() {
    let extension = |next: u8, length: u8| {
        let mut header = vec![0; (usize::from(length) + 1) * EXTENSION_UNIT];
        (header[0], header[1]) = (next, length);
        header
    };
    let fragment = |next: u8, offset: u16| {
        let [high, low] = offset.to_be_bytes();
        vec![next, 0, high, low, 0, 0, 0, 1]
    };
    // Twelve bytes, and 4 bytes of authentication data.
    let authentication = [&[6, 2][..], &[0; 14]].concat();
    let all = [
        extension(43, 0),
        extension(60, 2),
        extension(51, 1),
        authentication,
        PORTS.to_vec(),
    ];
    let cut = [extension(60, 0), extension(6, 20)].concat();
    for (packet, expected) in [
        (v6(6, &PORTS), "tcp fd00::1:40000 -> fd00::2:80"),
        (v6(0, &all.concat()), "tcp fd00::1:40000 -> fd00::2:80"),
        (
            v6(44, &[fragment(17, 1), PORTS.to_vec()].concat()),
            "udp fd00::1:40000 -> fd00::2:80",
        ),
        (
            v6(44, &[fragment(17, 8), PORTS.to_vec()].concat()),
            "udp fd00::1 -> fd00::2",
        ),
        (v6(58, &PORTS), "ipv6-icmp fd00::1 -> fd00::2"),
        (v6(59, &[]), "59 fd00::1 -> fd00::2"),
        (v6(0, &cut[..30]), "60 fd00::1 -> fd00::2"),
        (v6(0, &[]), "0 fd00::1 -> fd00::2"),
        (v6(6, &[])[..39].to_vec(), "none"),
    ] {
        assert_eq!(shown(&packet), expected, "{packet:?}");
    }
}

proptest! {
    #[test]
    fn parsing_any_bytes_never_panics(bytes: Vec<u8>) {
        let _ = PacketHeaders::parse(&bytes);
    }

    #[test]
    fn parsing_any_ipv6_extensions_never_panics(next: u8, rest: Vec<u8>) {
        prop_assert!(PacketHeaders::parse(&v6(next, &rest)).is_some());
    }

    #[test]
    fn parsing_any_cut_packet_never_panics(length in 0..100usize, next: u8, rest: Vec<u8>) {
        let packet = v6(next, &rest);
        let _ = PacketHeaders::parse(&packet[..length.min(packet.len())]);
    }
}
