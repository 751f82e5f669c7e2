use super::*;

fn words(query: &str) -> String {
    match parse(query) {
        Ok(it) => format!(
            "{} {} {} {}",
            it.source, it.destination, it.protocol, it.port
        ),
        Err(why) => why,
    }
}

#[test]
fn explain_request_names_two_pods_and_a_port() {
    let base = "from=shop/web&to=bank/db";
    for (query, expected) in [
        (
            format!("{base}&protocol=tcp&port=5432"),
            "shop/web bank/db tcp 5432",
        ),
        (
            format!("{base}&protocol=UDP&port=53"),
            "shop/web bank/db udp 53",
        ),
        (
            format!("{base}&protocol=tcp&port=65536"),
            "\"65536\" is no port",
        ),
        (
            format!("{base}&protocol=icmp&port=1"),
            "\"icmp\" is none of tcp, udp and sctp",
        ),
        (format!("{base}&protocol=tcp"), "port is missing"),
        (
            "from=web&to=bank/db&protocol=tcp&port=1".to_owned(),
            "\"web\" is no pod: write NAMESPACE/NAME",
        ),
        (String::new(), "protocol is missing"),
    ] {
        assert_eq!(words(&query), expected);
    }
}

#[test]
fn metrics_have_packets_by_policy_and_what_the_pods_have() {
    let status = Status {
        version: "1".to_owned(),
        pid: 1,
        missing: vec!["x".to_owned()],
        troubles: Vec::new(),
        pods: [("open".to_owned(), 3)].into(),
        rules: [("chains".to_owned(), 2)].into(),
        counts: vec![crate::status::PolicyCount {
            policy: "shop/deny".to_owned(),
            direction: "ingress".to_owned(),
            action: "deny".to_owned(),
            packets: 7,
        }],
    };
    let text = render(&status).unwrap();
    for line in [
        "flatland_policy_ready 0.0",
        r#"flatland_policy_pods{state="open"} 3.0"#,
        r#"flatland_policy_rules{kind="chains"} 2.0"#,
        r#"flatland_policy_packets_total{policy="shop/deny",direction="ingress",action="deny"} 7"#,
    ] {
        assert!(text.lines().any(|it| it == line), "{line}\n{text}");
    }
}
