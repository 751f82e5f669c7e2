//! Changes element by element, in the kernel.

use std::thread;

use nix::sched::{CloneFlags, unshare};
use policy::api::ClusterNetworkPolicy;
use wire::nft::{NftCommand, NftSocket};

use super::*;

/// Runs `test` in a network namespace of its own, with a socket there.
fn in_namespace(test: impl FnOnce(NftSocket) + Send) {
    thread::scope(|scope| {
        let run = scope.spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET).expect("root, or a user namespace");
            test(NftSocket::open().unwrap());
        });
        run.join().unwrap();
    });
}

fn cluster_policy(name: &str, spec: &str) -> PolicyEvent {
    let policy: ClusterNetworkPolicy =
        read(&format!("{{metadata: {{name: {name}}}, spec: {spec}}}"));
    PolicyEvent::ClusterNetworkPolicyApplied(policy)
}

/// Events that add, change and remove everything that a table has.
fn events() -> Vec<PolicyEvent> {
    let blocks = "{podSelector: {}, policyTypes: [Ingress, Egress], ingress: [{from: [{ipBlock: \
                  {cidr: 10.0.0.0/8, except: [10.1.0.0/16]}}, {ipBlock: {cidr: \"::/0\"}}]}], \
                  egress: [{to: [{podSelector: {}}], ports: [{port: sql}, {port: 53, protocol: \
                  UDP}, {port: 80, endPort: 90}, {protocol: SCTP}]}]}";
    let admin = "{tier: Admin, priority: 1, subject: {namespaces: {}}, ingress: [{name: scan, \
                 action: Pass, from: [{namespaces: {}}]}, {action: Deny, from: [{pods: \
                 {namespaceSelector: {}, podSelector: {matchLabels: {app: web}}}}]}]}";
    vec![
        namespace("shop"),
        pod("db", "db", "10.0.0.1"),
        local("flatdb", "db", "10.0.0.1"),
        pod("web", "web", "10.0.0.2"),
        policy("allow-web", ALLOW_WEB),
        local("flatweb", "web", "10.0.0.2"),
        pod("far", "web", "10.0.1.2"),
        policy("blocks", blocks),
        cluster_policy("admin", admin),
        pod("far", "other", "10.0.1.2"),
        pod("web", "db", "10.0.0.2"),
        policy("allow-web", "{podSelector: {}, ingress: []}"),
        PolicyEvent::PodDeleted(PodName::new("shop", "far")),
        PolicyEvent::ClusterNetworkPolicyDeleted("admin".to_owned()),
        // The address of a pod that went is another one's.
        PolicyEvent::LocalPodRemoved("flatdb".to_owned()),
        local("flatnew", "new", "10.0.0.1"),
        pod("new", "db", "10.0.0.1"),
        PolicyEvent::NetworkPolicyDeleted {
            namespace: "shop".to_owned(),
            name: "blocks".to_owned(),
        },
        PolicyEvent::NamespaceDeleted("shop".to_owned()),
    ]
}

#[test]
fn each_change_leads_to_the_table_that_would_be_made_anew() {
    in_namespace(|mut socket| {
        let mut engine = Engine::default();
        let mut before = Pods::new();
        let table = whole_table(engine.ruleset(), &before);
        socket.apply(&table.replace_commands(), None).unwrap();
        for event in events() {
            let what = format!("{event:?}");
            let change = engine.apply(event);
            let after = pods(&engine);
            let commands = change_commands(engine.ruleset(), &change, &before, &after);
            if let Err(error) = socket.apply(&commands, None) {
                panic!("{what}: {error}");
            }
            let found = socket.table(&table_id()).unwrap().0;
            let expected = whole_table(engine.ruleset(), &after).expected_listing();
            assert_eq!(found, Some(expected), "{what}");
            before = after;
        }
    });
}

#[test]
fn kernel_takes_everything_that_rules_may_need() {
    in_namespace(|mut socket| {
        let probe = probe_table();
        let mut commands = probe.replace_commands();
        socket.apply(&commands, None).unwrap();
        let found = socket.table(&probe.id).unwrap().0;
        assert_eq!(found, Some(probe.expected_listing()));
        commands.push(NftCommand::DelTable(probe.id.clone()));
        socket.apply(&commands, None).unwrap();
        assert_eq!(socket.table(&probe.id).unwrap().0, None);
    });
}
