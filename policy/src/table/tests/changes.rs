//! Changes element by element, in the kernel.

use std::collections::HashSet;
use std::mem::{Discriminant, discriminant};
use std::thread;

use nix::sched::{CloneFlags, unshare};
use policy::api::ClusterNetworkPolicy;
use wire::nft::{Members, NftCommand, NftSocket, NftTable, Term};
use wire::policy_trial::trial_table;

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
    let single = "{podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8}}]}, {from: \
                  [{ipBlock: {cidr: 0.0.0.0/0}}]}]}";
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
        policy("single", single),
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
fn kernel_takes_the_trial() {
    in_namespace(|mut socket| {
        let trial = trial_table();
        let mut commands = trial.replace_commands();
        socket.apply(&commands, None).unwrap();
        let found = socket.table(&trial.id).unwrap().0;
        assert_eq!(found, Some(trial.expected_listing()));
        commands.push(NftCommand::DelTable(trial.id.clone()));
        socket.apply(&commands, None).unwrap();
        assert_eq!(socket.table(&trial.id).unwrap().0, None);
    });
}

/// The kinds of terms and of sets in a table.
fn kinds(table: &NftTable) -> (HashSet<Discriminant<Term>>, HashSet<Discriminant<Members>>) {
    let rules = table.chains.iter().flat_map(|chain| &chain.rules);
    let terms = rules.flat_map(|rule| &rule.terms).map(discriminant);
    let sets = table.sets.iter().map(|set| discriminant(&set.members));
    (terms.collect(), sets.collect())
}

#[test]
fn trial_has_every_kind_of_term_and_set_of_policies() {
    let mut engine = Engine::default();
    let (mut terms, mut sets) = (HashSet::new(), HashSet::new());
    for event in events().into_iter().chain(hostile()) {
        engine.apply(event);
        let (more_terms, more_sets) = kinds(&whole_table(engine.ruleset(), &pods(&engine)));
        terms.extend(more_terms);
        sets.extend(more_sets);
    }
    assert_eq!(kinds(&trial_table()), (terms, sets));
}

/// Policies that are made for the kernel to refuse the table.
fn hostile() -> Vec<PolicyEvent> {
    let list = |count: usize, item: &dyn Fn(usize) -> String| {
        (0..count).map(item).collect::<Vec<_>>().join(", ")
    };
    let excepts = list(60, &|at| format!("10.0.{at}.7/32"));
    let peers = list(300, &|at| {
        let block = at % 256;
        format!(
            "{{podSelector: {{matchLabels: {{l{at}: v}}}}}}, {{ipBlock: {{cidr: 10.{block}.0.0/17}}}}"
        )
    });
    let ports = list(300, &|at| format!("{{port: {}}}", 2 * at + 1));
    let names = list(300, &|at| format!("{{port: p{at}}}"));
    let blocks = |first: &str, second: &str| {
        format!(
            "{{podSelector: {{}}, ingress: [{{from: [{{ipBlock: {{{first}}}}}, {{ipBlock: \
             {{{second}}}}}]}}]}}"
        )
    };
    let v6_end = "\"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128\"";
    let rule_names = format!(
        "{{tier: Admin, priority: 1, subject: {{namespaces: {{}}}}, egress: [{{name: \"{}\", action: \
         Deny, to: [{{networks: [0.0.0.0/0, 0.0.0.0/1, 10.0.0.0/9, \"::/0\", \"::/1\"]}}]}}, \
         {{name: \"a\\\" b\\nc\", action: Accept, to: [{{namespaces: {{}}}}]}}]}}",
        "ü".repeat(100)
    );
    let nothing = blocks(
        "cidr: 0.0.0.0/0, except: [0.0.0.0/0]",
        "cidr: \"::/0\", except: [\"::/0\"]",
    );
    let overlapping = blocks(
        "cidr: 0.0.0.0/0, except: [0.0.0.0/1, 0.0.0.0/2, 255.255.255.255/32]",
        &format!("cidr: \"::/0\", except: [\"::/1\", {v6_end}]"),
    );
    let mapped = blocks(
        "cidr: \"::ffff:0:0/96\", except: [\"::ffff:10.0.0.0/104\"]",
        &format!("cidr: 10.0.0.5/8, except: [10.255.255.255/32, 10.0.0.0/32, {excepts}]"),
    );
    let product = format!(
        "{{podSelector: {{}}, policyTypes: [Ingress, Egress], ingress: [{{from: [{peers}], ports: \
         [{ports}]}}], egress: [{{to: [{peers}], ports: [{{port: sql}}, {names}]}}]}}"
    );
    let port_ends = "{podSelector: {}, ingress: [{ports: [{port: 65535, endPort: 1}, {port: 1, \
                     endPort: 65535}, {port: 0}, {endPort: 5}, {protocol: X}]}]}";
    let mut events = vec![
        namespace("shop"),
        pod("db", "db", "10.0.0.1"),
        local("flatdb", "db", "10.0.0.1"),
        policy("nothing", &nothing),
        policy("overlapping", &overlapping),
        policy("mapped", &mapped),
        policy(&"n".repeat(253), ALLOW_WEB),
        policy("product", &product),
        policy("port-ends", port_ends),
        cluster_policy("rule-names", &rule_names),
    ];
    events.extend((0..20).map(|at| policy(&format!("same-{at}"), ALLOW_WEB)));
    events
}

#[test]
fn kernel_takes_policies_of_hostile_content() {
    in_namespace(|mut socket| {
        let mut engine = Engine::default();
        let mut before = Pods::new();
        let table = whole_table(engine.ruleset(), &before);
        socket.apply(&table.replace_commands(), None).unwrap();
        for event in hostile() {
            let what = format!("{event:?}");
            let change = engine.apply(event);
            let after = pods(&engine);
            let commands = change_commands(engine.ruleset(), &change, &before, &after);
            if let Err(error) = socket.apply(&commands, None) {
                panic!("{what}: {error}");
            }
            before = after;
        }
        let whole = whole_table(engine.ruleset(), &before);
        socket.apply(&whole.replace_commands(), None).unwrap();
        let found = socket.table(&table_id()).unwrap().0;
        assert_eq!(found, Some(whole.expected_listing()));
    });
}
