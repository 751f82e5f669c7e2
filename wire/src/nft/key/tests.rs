use super::*;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn key_parses_back_to_itself() {
    use IpVersion::{V4, V6};
    let (v4, v6) = (ip("10.244.1.2"), ip("fd00::12"));
    for (kind, key, text) in [
        (KeyType::Address(V4), ElementKey::Address(v4), "10.244.1.2"),
        (KeyType::Address(V6), ElementKey::Address(v6), "fd00::12"),
        (KeyType::Port, ElementKey::Port(5432), "5432"),
        (
            KeyType::Link,
            ElementKey::link("flat0123456789a"),
            "\"flat0123456789a\"",
        ),
        (
            KeyType::LinkPair,
            ElementKey::link_pair("flat0", "eth0"),
            "\"flat0\" . \"eth0\"",
        ),
        (
            KeyType::Endpoint(V4),
            ElementKey::Endpoint(v4, IpProtocol::TCP, 5432),
            "10.244.1.2 . tcp . 5432",
        ),
        (
            KeyType::Endpoint(V6),
            ElementKey::Endpoint(v6, IpProtocol(200), 1),
            "fd00::12 . 200 . 1",
        ),
    ] {
        let bytes = key.bytes();
        assert_eq!(bytes.len(), kind.length() as usize, "{kind}");
        assert_eq!(kind.parse(&bytes), Some(key), "{kind}");
        assert_eq!(kind.parse(&bytes[1..]), None, "{kind}");
        assert_eq!(KeyType::of(kind.number()), Some(kind));
        assert_eq!(key.to_string(), text);
    }
    assert_eq!(KeyType::of(19), None, "mark");
}
