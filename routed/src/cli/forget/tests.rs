use super::*;

#[test]
fn target_is_a_node_or_a_subnet() {
    for (text, expected) in [
        ("n1", Ok("Node(NodeName(\"n1\"))")),
        ("10.244.3.0/24", Ok("Subnet(10.244.3.0/24)")),
        ("10.244.3.1/24", Err("is 10.244.3.0/24 meant?")),
        ("10.244.3/24", Err("not a subnet")),
        ("N_1", Err("N_1")),
    ] {
        let target: Result<ForgetTarget, _> = text.parse();
        match (target, expected) {
            (Ok(target), Ok(expected)) => assert_eq!(format!("{target:?}"), expected),
            (Err(why), Err(part)) => assert!(why.contains(part), "{why}"),
            (target, _) => panic!("{text}: {target:?}"),
        }
    }
}

#[test]
fn refusal_names_address_and_time_of_the_present_node() {
    let presence = Presence {
        session: "s".to_owned(),
        address: Some("192.168.1.12".parse().unwrap()),
        version: "0".to_owned(),
        since: Some(0),
    };
    let node = NodeName::new("n2").unwrap();
    let error = refusal(&node, Some(&presence));
    assert_eq!(error.status, 75);
    let start = "node n2 is present: its routed runs at 192.168.1.12 since 1970-01-01 00:00:00 \
                     UTC; stop it there first. --force";
    assert!(error.text.starts_with(start), "{}", error.text);
    assert!(refusal(&node, None).text.contains("its routed runs; stop"));
}
