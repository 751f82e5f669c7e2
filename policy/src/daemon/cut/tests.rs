use policy::api::{NetworkPolicy, Pod};
use policy::cluster::LedgerPod;
use policy::compile::{Engine, PolicyEvent};
use policy::rules::PodName;

use super::*;

fn read<T: serde::de::DeserializeOwned>(yaml: &str) -> T {
    serde_yaml_ng::from_str(yaml).unwrap()
}

fn pod(name: &str, app: &str, address: &str) -> PolicyEvent {
    let pod: Pod = read(&format!(
        "{{metadata: {{namespace: shop, name: {name}, labels: {{app: {app}}}}}, \
         status: {{podIPs: [{{ip: {address}}}]}}}}"
    ));
    PolicyEvent::PodApplied(pod)
}

fn policy(spec: &str) -> PolicyEvent {
    let policy: NetworkPolicy = read(&format!(
        "{{metadata: {{namespace: shop, name: p}}, spec: {spec}}}"
    ));
    PolicyEvent::NetworkPolicyApplied(policy)
}

#[test]
fn only_changes_that_may_deny_something_are_followed_by_a_look_at_connections() {
    let from_web =
        "{podSelector: {}, ingress: [{from: [{podSelector: {matchLabels: {app: web}}}]}]}";
    let local = LedgerPod {
        id: "flatdb".to_owned(),
        name: PodName::new("shop", "db"),
        uid: None,
        addresses: vec![[10, 0, 0, 1].into()],
    };
    let mut engine = Engine::default();
    let mut step = |event: PolicyEvent| {
        let change = engine.apply(event);
        may_deny(engine.ruleset(), &change)
    };
    for (what, event, expected) in [
        (
            "a namespace",
            PolicyEvent::NamespaceApplied(read("{metadata: {name: shop}}")),
            false,
        ),
        ("a pod", pod("db", "db", "10.0.0.1"), false),
        (
            "a new pod of this node",
            PolicyEvent::LocalPodAdded(local),
            false,
        ),
        ("isolation", policy(from_web), true),
        (
            "one more that is allowed",
            pod("web", "web", "10.0.0.2"),
            false,
        ),
        (
            "one that is allowed no more",
            pod("web", "other", "10.0.0.2"),
            true,
        ),
        (
            "a pod that nothing names",
            pod("other", "other", "10.0.0.3"),
            false,
        ),
        (
            "the end of isolation",
            policy("{podSelector: {matchLabels: {app: x}}}"),
            false,
        ),
    ] {
        assert_eq!(step(event), expected, "{what}");
    }
}

#[test]
fn new_isolated_pod_is_followed_by_a_look_at_connections_of_the_one_before_with_its_address() {
    let local = LedgerPod {
        id: "flatdb".to_owned(),
        name: PodName::new("shop", "db"),
        uid: None,
        addresses: vec![[10, 0, 0, 1].into()],
    };
    let mut engine = Engine::default();
    engine.apply_all([
        PolicyEvent::NamespaceApplied(read("{metadata: {name: shop}}")),
        pod("db", "db", "10.0.0.1"),
        policy("{podSelector: {}}"),
    ]);
    let change = engine.apply(PolicyEvent::LocalPodAdded(local));
    assert!(may_deny(engine.ruleset(), &change));

    // And what it leaves is not the next one's.
    let now = Instant::now();
    let mut cutter = ConnectionCutter::new(now);
    cutter.note_freed(&change);
    assert_eq!(cutter.wake_at(), None);
    let change = engine.apply(PolicyEvent::LocalPodRemoved("flatdb".to_owned()));
    cutter.note_freed(&change);
    assert_eq!(cutter.wake_at(), Some(now));
}

#[test]
fn look_that_fails_is_repeated() {
    let mut cutter = ConnectionCutter::new(Instant::now());
    let address = IpAddr::from([10, 0, 0, 1]);
    let found = FoundConnections {
        entries: Err(Error::Interrupted {
            request: "conntrack --dump".to_owned(),
            attempts: 3,
        }),
        freed: [address].into(),
        took: Duration::ZERO,
    };
    assert!(cutter.cut(&Ruleset::default(), found).is_err());
    assert!(cutter.wake_at().is_some());
    assert!(cutter.freed.contains(&address));
}
