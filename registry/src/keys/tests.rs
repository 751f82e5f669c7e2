use super::*;

fn keys() -> Keys {
    Keys::new("/flatland", "blue")
}

#[test]
fn keys_render_as_documented() {
    let node: NodeName = "node-1.example".parse().unwrap();
    assert_eq!(keys().config(), "/flatland/blue/config");
    assert_eq!(keys().node(&node), "/flatland/blue/nodes/node-1.example");
    assert_eq!(
        keys().presence(&node),
        "/flatland/blue/presence/node-1.example"
    );
    assert_eq!(
        keys().absence(&node),
        "/flatland/blue:absent/node-1.example"
    );
    assert_eq!(keys().pause(), "/flatland/blue:forgot");
    let subnet = |text: &str| keys().subnet(&text.parse().unwrap());
    assert_eq!(
        subnet("10.244.7.0/24"),
        "/flatland/blue/subnets/10.244.7.0-24"
    );
    assert_eq!(
        subnet("fd00:10:244::/80"),
        "/flatland/blue/subnets/fd00:10:244::-80"
    );
}

#[test]
fn trailing_slash_of_the_prefix_is_ignored() {
    assert_eq!(Keys::new("/flatland/", "blue").base(), keys().base());
}

#[test]
fn every_key_parses_back() {
    let node: NodeName = "node-1".parse().unwrap();
    for key in [
        Key::Config,
        Key::Node(node.clone()),
        Key::Presence(node),
        Key::Subnet("10.244.7.0/24".parse().unwrap()),
        Key::Subnet("fd00:10:244::/80".parse().unwrap()),
    ] {
        let stored = keys().key(&key);
        assert_eq!(keys().name(stored.as_bytes()).parse(), Ok(key));
    }
}

#[test]
fn foreign_or_malformed_key_is_rejected() {
    for (name, part) in [
        ("settings", "no such key"),
        ("leases/x", "no such key"),
        ("", "no such key"),
        ("nodes/", ""),
        ("nodes/a/b", ""),
        ("nodes/UPPER_CASE", ""),
        ("nodes/\u{fffd}", ""),
        ("subnets/10.244.7.0", "of the form"),
        ("subnets/10.244.7.0-33", "of the form"),
        (
            "subnets/10.244.7.1-24",
            "should be spelled subnets/10.244.7.0-24",
        ),
        ("subnets/10.244.7.0-024", ""),
        ("subnets/FD00::-80", "should be spelled subnets/fd00::-80"),
    ] {
        let why = name.parse::<Key>().unwrap_err();
        assert!(why.contains(part), "{name}: {why}");
    }
}
