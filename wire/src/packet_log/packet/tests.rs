use proptest::prelude::*;

use super::*;
use crate::netfilter::attributes::Attributes;

fn message(attributes: &Attributes) -> Vec<u8> {
    [&[2, 0, 0, 0], attributes.as_bytes()].concat()
}

#[test]
fn packet_without_optional_attributes_is_parsed() {
    for (attributes, prefix, links) in [
        (
            Attributes::default()
                .number(INPUT, 4)
                .number(OUTPUT, 5)
                .text(PREFIX, "denied"),
            "denied",
            (Some(4), Some(5)),
        ),
        (
            Attributes::default().bytes(PREFIX, b"\xffdenied\0\0"),
            "\u{fffd}denied",
            (None, None),
        ),
        (Attributes::default(), "", (None, None)),
    ] {
        let message = message(&attributes);
        let packet = LoggedPacket::parse(&message);
        assert_eq!((&*packet.prefix, packet.headers()), (prefix, None));
        assert_eq!((packet.input, packet.output), links);
    }
}

proptest! {
    #[test]
    fn parsing_any_bytes_never_panics(bytes: Vec<u8>, payload: Vec<u8>) {
        let _ = LoggedPacket::parse(&bytes).headers();
        let packet = Attributes::default().bytes(PAYLOAD, &payload);
        let cut = &message(&packet)[..];
        let _ = LoggedPacket::parse(&cut[..cut.len() - 1]).headers();
        let _ = LoggedPacket::parse(cut).headers();
    }
}
