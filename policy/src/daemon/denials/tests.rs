use std::time::Duration;

use policy::cluster::LedgerPod;
use policy::compile::PolicyEvent;
use policy::rules::PodName;

use super::*;

fn denial(port: u16) -> Denial {
    Denial {
        source: "shop/web".to_owned(),
        destination: "bank/db".to_owned(),
        protocol: format!(":{port}/tcp"),
        cause: "by bank/deny".to_owned(),
        direction: TrafficDirection::Ingress,
    }
}

#[test]
fn denial_reads_as_a_sentence() {
    let expected = "denied shop/web -> bank/db:5432/tcp by bank/deny (ingress)";
    assert_eq!(denial(5432).to_string(), expected);
}

#[test]
fn denial_is_logged_again_only_after_a_while() {
    let mut log = DenialLog::default();
    let start = Instant::now();
    assert!(log.admit(&denial(1), start));
    assert!(!log.admit(&denial(1), start + Duration::from_secs(9)));
    assert!(log.admit(&denial(2), start + Duration::from_secs(9)));
    assert!(log.admit(&denial(1), start + DENIAL_INTERVAL));
    assert_eq!(log.left_out, 0);
}

#[test]
fn denials_beyond_the_limit_are_counted_and_not_kept() {
    let mut log = DenialLog::default();
    let now = Instant::now();
    let admitted = (0..2_000)
        .filter(|port| log.admit(&denial(*port), now))
        .count();
    assert_eq!((admitted, log.logged.len()), (MAX_DENIALS, MAX_DENIALS));
    assert_eq!(log.left_out, 1_900);
}

#[test]
fn rule_name_with_a_line_break_makes_no_second_line() {
    let policy = r#"{metadata: {name: p}, spec: {tier: Admin, priority: 1, subject: {namespaces: {}},
        egress: [{name: "a\ndenied x -> y", action: Deny, to: [{networks: [10.0.0.0/8]}]}]}}"#;
    let policy = serde_yaml_ng::from_str(policy).unwrap();
    let namespace = serde_yaml_ng::from_str("{metadata: {name: shop}}").unwrap();
    let pod = "{metadata: {namespace: shop, name: web}}";
    let address = IpAddr::from([10, 0, 0, 1]);
    let mut engine = Engine::default();
    engine.apply_all([
        PolicyEvent::NamespaceApplied(namespace),
        PolicyEvent::PodApplied(serde_yaml_ng::from_str(pod).unwrap()),
        PolicyEvent::ClusterNetworkPolicyApplied(policy),
        PolicyEvent::LocalPodAdded(LedgerPod {
            id: "flatweb".to_owned(),
            name: PodName::new("shop", "web"),
            uid: None,
            addresses: vec![address],
        }),
    ]);
    let (id, _) = engine.ruleset().chains.first_key_value().unwrap();
    let packet = PacketHeaders {
        source: address,
        destination: IpAddr::from([10, 0, 0, 2]),
        protocol: wire::IpProtocol(6),
        ports: Some((1, 2)),
    };
    let denial = Denial::of(&engine, DropSite::Rule(*id, 0), &packet).unwrap();
    assert_eq!(
        denial.to_string(),
        "denied shop/web -> 10.0.0.2:2/tcp by cnp p rule a\\ndenied x -> y (egress)"
    );
}
