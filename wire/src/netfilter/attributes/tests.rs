use super::*;

#[test]
fn attributes_parse_back_to_what_was_sent() {
    let inner = Attributes::default().number(1, 7).long(2, 1 << 40);
    let sent = Attributes::default()
        .text(1, "flat")
        .bytes(2, b"abcde")
        .nest(3, &inner)
        .number(2, 0);
    let received = Received(sent.as_bytes());
    assert_eq!(received.text(1), Some("flat"));
    assert_eq!(received.bytes(2), Some(&b"abcde"[..]));
    assert_eq!(received.all(2).count(), 2);
    assert_eq!(received.nested(3).number(1), Some(7));
    assert_eq!(received.nested(3).long(2), Some(1 << 40));
    assert_eq!(received.number(4), None);
    assert!(received.nested(4).bytes(1).is_none());
}

#[test]
fn truncated_or_wrongly_sized_attribute_is_absent() {
    let sent = Attributes::default().number(1, 7).text(2, "flatland");
    let bytes = sent.as_bytes();
    let cut = Received(&bytes[..bytes.len() - 6]);
    assert_eq!((cut.number(1), cut.text(2)), (Some(7), None));
    assert_eq!(cut.long(1), None);
}
