use super::*;

/// The example of RFC 1071, section 3, and a sum whose ones' complement is 0.
#[test]
fn checksum_is_that_of_rfc_1071() {
    let example = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
    assert_eq!(checksum(&example), [0x22, 0x0d]);
    assert_eq!(checksum(&[0xff, 0xff]), [0, 0]);
    assert_eq!(checksum(&[1]), checksum(&[1, 0]));
}

#[test]
fn text_is_parsed_from_the_frame_that_carries_it() {
    let mac = Mac([2; 6]);
    for (from, to) in [("10.0.0.1", "10.0.0.2"), ("fd00::1", "fd00::2")] {
        let (from, to): (IpAddr, IpAddr) = (from.parse().unwrap(), to.parse().unwrap());
        let packet = udp(from, to, "hello").unwrap();
        let whole = ethernet(mac, mac, from.is_ipv6(), &packet);
        assert_eq!(text(&whole), Some((from, "hello")));
        for end in 0..whole.len() {
            assert_ne!(text(&whole[..end]), Some((from, "hello")));
        }
    }
}

#[test]
fn sent_packets_have_valid_checksums() {
    let packet = udp(
        "10.0.0.1".parse().unwrap(),
        "10.0.0.2".parse().unwrap(),
        "odd",
    );
    assert_eq!(checksum(&packet.unwrap()[..20]), [0, 0]);
    let (from, to) = ("fd00::1".parse().unwrap(), "fd00::2".parse().unwrap());
    let packet = udp(IpAddr::V6(from), IpAddr::V6(to), "even").unwrap();
    assert_eq!(ipv6_checksum(from, to, UDP, &packet[40..]), [0, 0]);
    assert_eq!(udp(IpAddr::V6(from), Ipv4Addr::LOCALHOST.into(), ""), None);
}
