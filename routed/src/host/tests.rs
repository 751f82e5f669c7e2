use super::*;

#[test]
fn configured_addresses_that_the_node_object_lacks_are_named() {
    let addresses = |text: &str| -> Vec<IpAddr> {
        let parts = text.split(',').filter(|part| !part.is_empty());
        parts.map(|part| part.parse().unwrap()).collect()
    };
    for (configured, registered, expected) in [
        ("", "192.168.1.1", None),
        ("192.168.1.9", "", None),
        ("192.168.1.1", "192.168.1.1,fd00::1", None),
        (
            "192.168.1.1,192.168.1.9",
            "192.168.1.1,fd00::1",
            Some("--node-address 192.168.1.9 is ignored"),
        ),
    ] {
        let text = unused_addresses(&addresses(configured), &addresses(registered));
        match (&text, expected) {
            (Some(text), Some(expected)) => assert!(text.starts_with(expected), "{text}"),
            _ => assert_eq!(text.as_deref(), expected, "{configured} {registered}"),
        }
    }
}
