use super::*;

#[test]
fn metrics_have_packets_by_policy_and_what_the_pods_have() {
    let status = EnforcementStatus {
        version: "1".to_owned(),
        pid: 1,
        missing: vec!["x".to_owned()],
        troubles: Vec::new(),
        pods: [("open".to_owned(), 3)].into(),
        rules: [("chains".to_owned(), 2)].into(),
        collections: std::collections::BTreeMap::new(),
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
