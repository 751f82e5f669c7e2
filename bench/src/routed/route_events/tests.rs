use super::*;

fn message(kind: u16, protocol: u8) -> Vec<u8> {
    message_to([10, 1, 2, 0], kind, protocol)
}

fn message_to(dst: [u8; 4], kind: u16, protocol: u8) -> Vec<u8> {
    let mut bytes = 36_u32.to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend([0; 10]);
    bytes.extend([2, 24, 0, 0, 254, protocol, 0, RTN_UNICAST, 0, 0, 0, 0]);
    bytes.extend(8_u16.to_ne_bytes());
    bytes.extend(RTA_DST.to_ne_bytes());
    bytes.extend(dst);
    bytes
}

#[test]
fn subnets_of_mixed_events_are_those_of_our_new_routes() {
    let datagram = [
        message(RTM_NEWROUTE, 3),
        message(RTM_NEWROUTE, wire::ROUTE_PROTOCOL),
        message(RTM_NEWROUTE + 1, wire::ROUTE_PROTOCOL),
        message_to(
            wire::GATEWAY_V4.octets(),
            RTM_NEWROUTE,
            wire::ROUTE_PROTOCOL,
        ),
        message(RTM_NEWROUTE, wire::ROUTE_PROTOCOL),
    ]
    .concat();

    let found: Vec<_> = subnets(&datagram).collect();

    assert_eq!(found, [Ipv4Addr::new(10, 1, 2, 0); 2]);
}

#[test]
fn truncated_datagram_yields_the_complete_routes_only() {
    let datagram = message(RTM_NEWROUTE, wire::ROUTE_PROTOCOL);

    assert_eq!(subnets(&datagram[..30]).count(), 0);
    assert_eq!(subnets(&[]).count(), 0);
}
