use std::net::IpAddr;

use super::*;
use crate::api::{L4Protocol, NamedPort, Namespace, Pod};
use crate::cluster::{LedgerPod, UndecidedReason};
use crate::rules::{Change, PodConnection, PodName};

fn address(last: u8) -> IpAddr {
    [10, 0, 0, last].into()
}

fn labels(text: &str) -> std::collections::BTreeMap<String, String> {
    let pairs = text.split(',').filter_map(|it| it.split_once('='));
    pairs
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

fn pod(name: &str, text: &str, last: u8) -> Pod {
    Pod {
        namespace: "shop".to_owned(),
        name: name.to_owned(),
        uid: format!("uid-{name}"),
        labels: labels(text),
        addresses: vec![address(last)],
        ..Default::default()
    }
}

fn applied(pod: &Pod) -> PolicyEvent {
    PolicyEvent::PodApplied(pod.clone())
}

fn deleted(name: &str) -> PolicyEvent {
    PolicyEvent::PodDeleted(PodName::new("shop", name))
}

fn local(name: &str, last: u8) -> PolicyEvent {
    PolicyEvent::LocalPodAdded(LedgerPod {
        id: format!("{name}-{last}"),
        name: PodName::new("shop", name),
        uid: Some(format!("uid-{name}")),
        addresses: vec![address(last)],
    })
}

fn namespace(text: &str) -> PolicyEvent {
    PolicyEvent::NamespaceApplied(Namespace {
        name: "shop".to_owned(),
        labels: labels(text),
        ..Default::default()
    })
}

fn policy(name: &str, spec: &str) -> PolicyEvent {
    let yaml = format!("{{metadata: {{namespace: shop, name: {name}}}, spec: {spec}}}");
    PolicyEvent::NetworkPolicyApplied(serde_yaml_ng::from_str(&yaml).unwrap())
}

fn cluster_policy(name: &str, spec: &str) -> PolicyEvent {
    let yaml = format!("{{metadata: {{name: {name}}}, spec: {spec}}}");
    PolicyEvent::ClusterNetworkPolicyApplied(serde_yaml_ng::from_str(&yaml).unwrap())
}

/// Only pods `app=web` may reach the pods `app=db` of this node.
fn engine() -> Engine {
    let mut engine = Engine::default();
    engine.apply_all([
        namespace("team=a"),
        applied(&pod("db", "app=db", 1)),
        applied(&pod("web", "app=web", 2)),
        local("db", 1),
        policy(
            "web",
            "{podSelector: {matchLabels: {app: db}}, ingress: [{from: [{podSelector: {matchLabels: {app: web}}}]}]}",
        ),
    ]);
    engine
}

fn allows(engine: &Engine, from: u8, to: u8, port: u16) -> bool {
    let connection = PodConnection {
        source: address(from),
        destination: address(to),
        protocol: L4Protocol::Tcp,
        port,
    };
    engine.ruleset().verdict(&connection).is_allowed()
}

#[test]
fn reused_address_is_judged_as_its_new_pod_in_any_order() {
    let mut ended = pod("web", "app=web", 2);
    ended.has_ended = true;
    let reused = applied(&pod("other", "app=other", 2));
    let orders: [[PolicyEvent; 2]; 4] = [
        [deleted("web"), reused.clone()],
        [reused.clone(), deleted("web")],
        [applied(&ended), reused.clone()],
        [reused.clone(), applied(&ended)],
    ];
    for order in orders {
        let mut engine = engine();
        assert!(allows(&engine, 2, 1, 80));
        engine.apply_all(order);
        assert!(!allows(&engine, 2, 1, 80), "{}", engine.ruleset());
    }
    // And the other way round: the address comes to a pod that is allowed.
    let mut engine = engine();
    engine.apply_all([
        reused,
        applied(&pod("web2", "app=web", 2)),
        deleted("other"),
        deleted("web"),
    ]);
    assert!(allows(&engine, 2, 1, 80));
}

#[test]
fn change_for_a_remote_pod_is_one_element() {
    let mut engine = engine();
    let change = engine.apply(applied(&pod("web2", "app=web", 3)));
    let elements: Vec<_> = change.elements.values().collect();
    assert_eq!(
        (
            elements.len(),
            elements[0].added.len(),
            elements[0].removed.len()
        ),
        (1, 1, 0)
    );
    let rest = Change {
        elements: change.elements.clone(),
        ..Default::default()
    };
    assert_eq!(change, rest);
    assert!(engine.apply(applied(&pod("web2", "app=web", 3))).is_empty());
    assert!(
        engine
            .apply(applied(&pod("other", "app=other", 4)))
            .is_empty()
    );
}

#[test]
fn set_goes_with_the_last_chain_that_refers_to_it() {
    let mut engine = engine();
    assert_eq!(engine.ruleset().sets.len(), 1);
    let change = engine.apply(PolicyEvent::LocalPodRemoved("db-1".to_owned()));
    assert_eq!(
        (change.removed_sets.len(), change.removed_chains.len()),
        (1, 1)
    );
    assert!(engine.ruleset().sets.is_empty() && engine.ruleset().chains.is_empty());
}

#[test]
fn equal_pods_of_the_node_share_a_chain() {
    let mut engine = engine();
    engine.apply_all([applied(&pod("db2", "app=db", 5)), local("db2", 5)]);
    assert_eq!(engine.ruleset().chains.len(), 1);
}

#[test]
fn pod_that_is_not_known_is_closed() {
    let mut engine = engine();
    let reason = |engine: &Engine| engine.undecided().map(|it| it.reason).next();
    engine.apply(local("new", 7));
    assert_eq!(reason(&engine), Some(UndecidedReason::UnknownPod));
    assert!(!allows(&engine, 7, 9, 80) && !allows(&engine, 9, 7, 80) && allows(&engine, 7, 7, 80));
    let mut other = pod("new", "app=new", 8);
    other.uid = "another".to_owned();
    engine.apply(applied(&other));
    assert_eq!(reason(&engine), Some(UndecidedReason::OtherUid));
    other.mirrored_uid = Some("uid-new".to_owned());
    engine.apply(applied(&other));
    assert_eq!(reason(&engine), None);
    assert!(allows(&engine, 9, 7, 80));
    engine.apply(PolicyEvent::NamespaceDeleted("shop".to_owned()));
    assert_eq!(reason(&engine), Some(UndecidedReason::UnknownNamespace));
}

#[test]
fn ledger_addresses_count_before_the_api_has_them() {
    let mut engine = engine();
    let mut web = pod("web3", "app=web", 0);
    web.addresses.clear();
    engine.apply_all([local("web3", 9), applied(&web)]);
    assert!(allows(&engine, 9, 1, 80), "{}", engine.ruleset());
}

#[test]
fn pod_on_the_host_network_is_no_peer() {
    let mut engine = engine();
    let mut host = pod("host", "app=web", 9);
    host.host_network = true;
    engine.apply(applied(&host));
    assert!(!allows(&engine, 9, 1, 80));
}

#[test]
fn named_port_is_that_of_the_destination() {
    let named = |name: &str, text: &str, last: u8, port: u16| {
        let mut pod = pod(name, text, last);
        pod.named_ports = vec![NamedPort {
            name: "http".to_owned(),
            protocol: L4Protocol::Tcp,
            port,
        }];
        applied(&pod)
    };
    let mut engine = engine();
    engine.apply_all([
        named("db", "app=db", 1, 8000),
        named("one", "app=one", 3, 8001),
        named("two", "app=two", 4, 8002),
        policy(
            "named",
            "{podSelector: {matchLabels: {app: db}}, policyTypes: [Ingress, Egress], \
             ingress: [{ports: [{port: http}]}], egress: [{to: [{podSelector: {}}], ports: [{port: http}]}]}",
        ),
    ]);
    let cases = [
        (3, 1, 8000, true),
        (3, 1, 8001, false),
        (1, 3, 8001, true),
        (1, 4, 8002, true),
    ];
    for (from, to, port, expected) in cases {
        assert_eq!(
            allows(&engine, from, to, port),
            expected,
            "{from} {to} {port}\n{}",
            engine.ruleset()
        );
    }
    assert!(!allows(&engine, 1, 4, 8001));
}

#[test]
fn peers_and_ports_of_a_rule_do_not_multiply() {
    let list = |item: &dyn Fn(usize) -> String| (0..300).map(item).collect::<Vec<_>>().join(", ");
    let peers = list(&|at| format!("{{podSelector: {{matchLabels: {{l{at}: v}}}}}}"));
    let blocks = list(&|at| format!("{{ipBlock: {{cidr: 10.0.{}.0/25}}}}", at % 256));
    let ports = list(&|at| format!("{{port: {}}}, {{port: p{at}}}", 2 * at + 2));
    let rule = |word: &str| format!("[{{{word}: [{peers}, {blocks}], ports: [{ports}]}}]");
    let spec = format!(
        "{{podSelector: {{}}, policyTypes: [Ingress, Egress], ingress: {}, egress: {}}}",
        rule("from"),
        rule("to")
    );
    let mut engine = engine();
    engine.apply(policy("large", &spec));
    let chains = engine.ruleset().chains.values();
    let counts: Vec<_> = chains.map(|it| it.rules.len()).collect();
    // The selectors and the prefixes with the numbers, and for egress also with the names; and the
    // rule of the other policy.
    assert_eq!(counts, [2 * 301, 302], "{}", engine.ruleset());
    for (from, port, expected) in [(9, 80, true), (9, 81, false), (200, 80, false)] {
        assert_eq!(allows(&engine, from, 1, port), expected, "{from} {port}");
    }
}

#[test]
fn cluster_policies_come_by_priority_and_tier() {
    let spec = |tier: &str, priority: u32, action: &str| {
        let peers = "[{namespaces: {matchLabels: {team: a}}}]";
        format!(
            "{{tier: {tier}, priority: {priority}, subject: {{namespaces: {{}}}}, \
             ingress: [{{action: {action}, from: {peers}}}]}}"
        )
    };
    let mut engine = engine();
    // Web is allowed by the policy of the namespace, the other pod is not.
    engine.apply(applied(&pod("other", "app=other", 3)));
    let found = |engine: &Engine| (allows(engine, 2, 1, 80), allows(engine, 3, 1, 80));
    assert_eq!(found(&engine), (true, false));
    engine.apply(cluster_policy("a", &spec("Admin", 5, "Deny")));
    assert_eq!(found(&engine), (false, false));
    engine.apply(cluster_policy("b", &spec("Admin", 4, "Accept")));
    assert_eq!(found(&engine), (true, true));
    engine.apply(cluster_policy("c", &spec("Admin", 3, "Pass")));
    assert_eq!(found(&engine), (true, false));
    engine.apply(cluster_policy("d", &spec("Baseline", 0, "Deny")));
    assert_eq!(found(&engine), (true, false));
    // Without a policy of the namespace, the baseline decides.
    let (namespace, name) = ("shop".to_owned(), "web".to_owned());
    engine.apply(PolicyEvent::NetworkPolicyDeleted { namespace, name });
    assert_eq!(found(&engine), (false, false));
    // No peer is in a namespace of the team any more.
    engine.apply(self::namespace("team=b"));
    assert_eq!(found(&engine), (true, true));
}

#[test]
fn explanation_names_the_policies_in_their_order() {
    let mut engine = engine();
    engine.apply_all([
        applied(&pod("other", "app=other", 3)),
        cluster_policy(
            "first",
            "{tier: Admin, priority: 1, subject: {namespaces: {}}, \
             ingress: [{name: pass, action: Pass, from: [{namespaces: {}}]}]}",
        ),
    ]);
    let name = |it: &str| PodName::new("shop", it);
    let explain = |from: &str| engine.explain(&name(from), &name("db"), L4Protocol::Tcp, 80);
    let expected = "\
egress: allowed: no policy selects the pod
ingress: cnp first: rule pass passes it on
ingress: shop/web: no rule matches
ingress: denied: isolated by shop/web";
    assert_eq!(explain("other").unwrap()[0].to_string(), expected);
    assert!(explain("web").unwrap()[0].is_allowed());
    assert_eq!(explain("none"), Err(ExplainError::Unknown(name("none"))));
}

#[test]
fn texts_that_the_api_does_not_check_are_printable_everywhere() {
    let policy = r#"{metadata: {name: p}, spec: {tier: Admin, priority: 1, subject: {namespaces: {}},
        ingress: [
          {name: "\e[2Jx\nchain 9", action: Deny, from: [{namespaces: {matchLabels: {team: "a\r\u202eb"}}}]},
          {name: y, action: "\e[31m", from: []}]}}"#;
    let policy = serde_yaml_ng::from_str(policy).unwrap();
    let mut engine = engine();
    engine.apply(PolicyEvent::ClusterNetworkPolicyApplied(policy));
    let names = ["web", "db"].map(|name| PodName::new("shop", name));
    let explained = engine.explain(&names[0], &names[1], L4Protocol::Tcp, 80);
    let explained: String = explained.unwrap().iter().map(ToString::to_string).collect();
    let problems = engine.problems().into_iter().map(|it| it.text);
    let rules = engine.ruleset().to_string();
    let all = [rules.as_str(), &explained, &problems.collect::<String>()].concat();
    let is_harmless = |it: char| it == '\n' || !it.is_control() && it != '\u{202e}';
    assert!(all.chars().all(is_harmless), "{all:?}");
    for text in [r"cnp p rule \u{1b}[2Jx\nchain 9", r"team=a\r\u{202e}b"] {
        assert!(rules.contains(text), "{rules}");
    }
    assert!(explained.contains("egress: "), "{explained}");
}
