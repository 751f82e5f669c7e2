use proptest::prelude::*;

use super::*;

fn tuple(source: [u8; 4], destination: [u8; 4], protocol: &Attributes) -> Attributes {
    let addresses = Attributes::default()
        .bytes(V4_SOURCE, &source)
        .bytes(V4_DESTINATION, &destination);
    Attributes::default()
        .nest(ADDRESSES, &addresses)
        .nest(PROTOCOL, protocol)
}

fn payload(attributes: &Attributes) -> Vec<u8> {
    [&[2, 0, 0, 0], attributes.as_bytes()].concat()
}

#[test]
fn service_connection_has_pod_in_reply_tuple() {
    let ports = |from, to| {
        let number = Attributes::default().byte(NUMBER, 6);
        number.short(SOURCE_PORT, from).short(DESTINATION_PORT, to)
    };
    let (client, service, pod) = ([10, 0, 0, 1], [10, 96, 0, 1], [10, 0, 0, 2]);
    let attributes = Attributes::default()
        .nest(ORIGINAL, &tuple(client, service, &ports(40_000, 80)))
        .nest(REPLY, &tuple(pod, client, &ports(8080, 40_000)))
        .number(ID, 7);

    let entry = ConntrackEntry::parse(&payload(&attributes)).unwrap();

    assert_eq!(
        entry.original.to_string(),
        "tcp src=10.0.0.1 dst=10.96.0.1 sport=40000 dport=80"
    );
    assert_eq!(
        entry.reply.to_string(),
        "tcp src=10.0.0.2 dst=10.0.0.1 sport=8080 dport=40000"
    );
}

#[test]
fn identity_keeps_what_is_not_parsed() {
    // `CTA_PROTO_ICMP_ID`.
    let icmp = Attributes::default().byte(NUMBER, 1).short(4, 0x1234);
    let original = tuple([10, 0, 0, 1], [10, 0, 0, 2], &icmp);
    let attributes = Attributes::default()
        .nest(ORIGINAL, &original)
        .nest(REPLY, &tuple([10, 0, 0, 2], [10, 0, 0, 1], &icmp))
        .number(ID, 7)
        .short(ZONE, 3);

    let entry = ConntrackEntry::parse(&payload(&attributes)).unwrap();

    assert_eq!(entry.original.ports, None);
    let expected = Attributes::default()
        .nest(ORIGINAL, &original)
        .number(ID, 7)
        .short(ZONE, 3);
    assert_eq!(entry.identity(), (2, expected));
}

proptest! {
    #[test]
    fn parsing_any_bytes_never_panics(bytes: Vec<u8>) {
        let _ = ConntrackEntry::parse(&bytes);
    }
}
