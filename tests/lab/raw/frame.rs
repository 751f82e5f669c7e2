//! Building and parsing Ethernet frames. Pure.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use wire::netlink::Mac;

use super::PORT;

const BROADCAST: Mac = Mac([0xff; 6]);
/// The MAC for frames to `ff02::1` (RFC 2464, section 7).
const ALL_NODES: Mac = Mac([0x33, 0x33, 0, 0, 0, 1]);
const IPV4: u16 = 0x0800;
const ARP: u16 = 0x0806;
const IPV6: u16 = 0x86dd;
const UDP: u8 = 17;
const ICMPV6: u8 = 58;

/// An Ethernet frame (IEEE 802.3) that carries an IP packet.
pub(super) fn ethernet(from: Mac, to: Mac, ipv6: bool, packet: &[u8]) -> Vec<u8> {
    frame(from, to, if ipv6 { IPV6 } else { IPV4 }, packet)
}

fn frame(from: Mac, to: Mac, kind: u16, payload: &[u8]) -> Vec<u8> {
    [&to.0[..], &from.0, &kind.to_be_bytes(), payload].concat()
}

/// A UDP datagram (RFC 768) that carries a text; `None` if the addresses differ in family.
pub(super) fn udp(from: IpAddr, to: IpAddr, text: &str) -> Option<Vec<u8>> {
    let port = PORT.to_be_bytes();
    let length = length(8 + text.len());
    let mut datagram = [&port[..], &port, &length, &[0; 2], text.as_bytes()].concat();
    match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => Some(ipv4(from, to, &datagram)),
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            let sum = ipv6_checksum(from, to, UDP, &datagram);
            datagram[6..8].copy_from_slice(&sum);
            Some(ipv6(from, to, UDP, &datagram))
        }
        _ => None,
    }
}

/// The text of a frame of ours and its source address; `None` for other frames.
pub(super) fn text(frame: &[u8]) -> Option<(IpAddr, &str)> {
    let packet = frame.get(14..)?;
    let octets = |start: usize| packet.get(start..start + 16);
    let (source, datagram) = match (packet.first()? >> 4, packet.len()) {
        (4, 20..) if packet[9] == UDP => {
            let source = Ipv4Addr::new(packet[12], packet[13], packet[14], packet[15]);
            (source.into(), packet.get(20..)?)
        }
        (6, _) if packet.get(6) == Some(&UDP) => {
            let source: [u8; 16] = octets(8)?.try_into().ok()?;
            (IpAddr::from(source), packet.get(40..)?)
        }
        _ => return None,
    };
    let port = datagram.get(2..4)?;
    let text = str::from_utf8(datagram.get(8..)?).ok()?;
    (port == PORT.to_be_bytes()).then(|| (source, text.trim_end_matches('\0')))
}

/// An IPv4 packet (RFC 791) of UDP without checksum, which IPv4 permits.
fn ipv4(from: Ipv4Addr, to: Ipv4Addr, datagram: &[u8]) -> Vec<u8> {
    let [high, low] = length(20 + datagram.len());
    let mut header = [0x45, 0, high, low, 0, 0, 0x40, 0, 64, UDP, 0, 0].to_vec();
    header.extend([from.octets(), to.octets()].concat());
    let sum = checksum(&header);
    header[10..12].copy_from_slice(&sum);
    [&header, datagram].concat()
}

/// An IPv6 packet (RFC 8200). Neighbour discovery requires the hop limit of 255.
fn ipv6(from: Ipv6Addr, to: Ipv6Addr, kind: u8, payload: &[u8]) -> Vec<u8> {
    let [high, low] = length(payload.len());
    let start = [0x60, 0, 0, 0, high, low, kind, 255];
    [&start[..], &from.octets(), &to.octets(), payload].concat()
}

fn length(bytes: usize) -> [u8; 2] {
    u16::try_from(bytes).unwrap_or(u16::MAX).to_be_bytes()
}

fn ipv6_checksum(from: Ipv6Addr, to: Ipv6Addr, kind: u8, payload: &[u8]) -> [u8; 2] {
    let [high, low] = length(payload.len());
    let pseudo = [0, 0, high, low, 0, 0, 0, kind];
    checksum(&[&from.octets()[..], &to.octets(), &pseudo, payload].concat())
}

/// The Internet checksum (RFC 1071).
fn checksum(bytes: &[u8]) -> [u8; 2] {
    let text = |pair: &[u8]| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0));
    let mut sum: u32 = bytes.chunks(2).map(text).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    let [.., high, low] = (!sum).to_be_bytes();
    [high, low]
}

/// The frames that announce that an address has a MAC. For IPv4: an ARP announcement as a request
/// and as a reply (RFC 5227), and a request for the gateway from the address. For IPv6: an
/// advertisement with the override flag, and a solicitation (RFC 4861).
pub(super) fn announcements(mac: Mac, address: IpAddr) -> Vec<Vec<u8>> {
    match address {
        IpAddr::V4(own) => {
            let gateway = Ipv4Addr::new(169, 254, 1, 1);
            let all = [(1, own), (2, own), (1, gateway)].into_iter();
            all.map(|(operation, target)| arp(operation, mac, own, target))
                .map(|packet| frame(mac, BROADCAST, ARP, &packet))
                .collect()
        }
        IpAddr::V6(own) => {
            let all_nodes = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
            let gateway = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);
            let advertisement = discovery(136, 0x20, mac, own, all_nodes, own);
            let solicitation = discovery(135, 0, mac, own, all_nodes, gateway);
            let all = [advertisement, solicitation];
            all.map(|packet| frame(mac, ALL_NODES, IPV6, &packet))
                .into()
        }
    }
}

/// ARP (RFC 826) for IPv4 over Ethernet.
fn arp(operation: u8, mac: Mac, own: Ipv4Addr, target: Ipv4Addr) -> Vec<u8> {
    let start = [0, 1, 8, 0, 6, 4, 0, operation];
    let (own, target) = (own.octets(), target.octets());
    [&start[..], &mac.0, &own, &[0; 6], &target].concat()
}

/// A neighbour discovery message about `target`, with the sender's MAC.
fn discovery(
    kind: u8,
    flags: u8,
    mac: Mac,
    from: Ipv6Addr,
    to: Ipv6Addr,
    target: Ipv6Addr,
) -> Vec<u8> {
    // A solicitation has the source link-layer address option, an advertisement the target one.
    let option = [kind - 134, 1];
    let start = [kind, 0, 0, 0, flags, 0, 0, 0];
    let mut message = [&start[..], &target.octets(), &option, &mac.0].concat();
    let sum = ipv6_checksum(from, to, ICMPV6, &message);
    message[2..4].copy_from_slice(&sum);
    ipv6(from, to, ICMPV6, &message)
}

/// `ff02::1`.
const ALL_NODES_ADDRESS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
/// The address of a router that does nothing but advertise.
const ROUTER: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0x77);

/// A router advertisement (RFC 4861, section 4.2): a router for `default` seconds (0 for none), and a
/// prefix of 64 bits from which hosts make addresses that are valid for `valid` seconds.
pub(super) fn advertisement(mac: Mac, default: u16, prefix: Ipv6Addr, valid: u32) -> Vec<u8> {
    let (default, valid) = (default.to_be_bytes(), valid.to_be_bytes());
    let start = [134, 0, 0, 0, 64, 0, default[0], default[1]];
    let prefix = [
        &[3, 4, 64, 0xc0],
        &valid[..],
        &valid,
        &[0; 4],
        &prefix.octets(),
    ]
    .concat();
    let mut message = [&start[..], &[0; 8], &prefix, &[1, 1], &mac.0].concat();
    let sum = ipv6_checksum(ROUTER, ALL_NODES_ADDRESS, ICMPV6, &message);
    message[2..4].copy_from_slice(&sum);
    let packet = ipv6(ROUTER, ALL_NODES_ADDRESS, ICMPV6, &message);
    frame(mac, ALL_NODES, IPV6, &packet)
}

/// Whether a frame is a router solicitation (RFC 4861, section 4.1).
pub(super) fn is_solicitation(frame: &[u8]) -> bool {
    let is_icmpv6 =
        frame.get(12..14) == Some(&IPV6.to_be_bytes()) && frame.get(20) == Some(&ICMPV6);
    is_icmpv6 && frame.get(54) == Some(&133)
}

#[cfg(test)]
mod tests;
