//! What policies allow and deny: packets between pods, by TCP and UDP, of both families.

use lab::Result;
use lab::policy::{PodObject, PolicyCluster};
use lab::probe::PORT;
use serde_json::json;

use crate::support::{ALL, Answering, answering, deny, pods, wait_reached, wait_reached_on};

#[test]
fn isolated_pods_receive_what_a_policy_allows_on_one_node_and_between_nodes() -> Result {
    let cluster = PolicyCluster::start(2)?;
    cluster.namespace("shop", &[])?;
    let db = answering(&cluster, 1, &PodObject::new("shop", "db", &[("app", "db")]))?;
    let web = answering(
        &cluster,
        1,
        &PodObject::new("shop", "web", &[("app", "web")]),
    )?;
    let far = answering(
        &cluster,
        2,
        &PodObject::new("shop", "far", &[("app", "web")]),
    )?;
    let other = answering(
        &cluster,
        2,
        &PodObject::new("shop", "other", &[("app", "x")]),
    )?;
    for from in [&web, &far, &other] {
        wait_reached(&from.pod, &db.pod, ALL)?;
    }

    cluster.policy("shop", "default-deny", &deny(&["Ingress"]))?;
    for from in [&web, &far, &other] {
        wait_reached(&from.pod, &db.pod, "")?;
    }

    let allow = json!({
        "podSelector": { "matchLabels": { "app": "db" } },
        "ingress": [{ "from": [pods("app", "web")], "ports": [{ "port": PORT }] }],
    });
    cluster.policy("shop", "allow-web", &allow)?;
    for from in [&web, &far] {
        wait_reached(&from.pod, &db.pod, "tcp4 tcp6")?;
    }
    wait_reached(&other.pod, &db.pod, "")?;

    // A pod whose labels change is judged anew.
    let relabelled = PodObject::new("shop", "other", &[("app", "web")]);
    cluster.put(&relabelled.running("n2", &other.pod.addresses()))?;
    wait_reached(&other.pod, &db.pod, "tcp4 tcp6")?;

    assert!(
        cluster
            .cluster
            .api
            .delete("networkpolicies", "shop", "allow-web")
    );
    wait_reached(&web.pod, &db.pod, "")?;
    assert!(
        cluster
            .cluster
            .api
            .delete("networkpolicies", "shop", "default-deny")
    );
    wait_reached(&web.pod, &db.pod, ALL)
}

#[test]
fn egress_is_judged_where_the_sender_is() -> Result {
    let cluster = PolicyCluster::start(2)?;
    cluster.namespace("shop", &[])?;
    cluster.namespace("bank", &[("team", "money")])?;
    let web = answering(&cluster, 1, &PodObject::new("shop", "web", &[]))?;
    let db = PodObject::new("bank", "db", &[]).with_port("sql", "TCP", PORT);
    let db = answering(&cluster, 2, &db)?;
    let near = answering(&cluster, 1, &PodObject::new("shop", "near", &[]))?;
    cluster.policy("shop", "default-deny", &deny(&["Egress"]))?;
    wait_reached(&web.pod, &db.pod, "")?;
    wait_reached(&web.pod, &near.pod, "")?;
    // Isolated for what they send only.
    wait_reached(&db.pod, &web.pod, ALL)?;

    // The named port is that of the destination.
    let allow = json!({
        "podSelector": {}, "policyTypes": ["Egress"],
        "egress": [{
            "to": [{ "namespaceSelector": { "matchLabels": { "team": "money" } } }],
            "ports": [{ "port": "sql" }],
        }],
    });
    cluster.policy("shop", "to-bank", &allow)?;
    wait_reached(&web.pod, &db.pod, "tcp4 tcp6")?;
    wait_reached(&web.pod, &near.pod, "")?;

    // A namespace whose labels change.
    cluster.namespace("bank", &[("team", "other")])?;
    wait_reached(&web.pod, &db.pod, "")
}

#[test]
fn own_node_and_the_pod_itself_are_always_allowed() -> Result {
    let cluster = PolicyCluster::start(1)?;
    cluster.namespace("shop", &[])?;
    let web = answering(&cluster, 1, &PodObject::new("shop", "web", &[]))?;
    cluster.policy("shop", "deny", &deny(&["Ingress", "Egress"]))?;
    let near = answering(&cluster, 1, &PodObject::new("shop", "near", &[]))?;
    wait_reached(&near.pod, &web.pod, "")?;
    wait_reached(&web.pod, &web.pod, ALL)?;
    let address = web.pod.addresses()[0].to_string();
    cluster.node(1).run(&["ping", "-c1", "-W5", &address])?;
    let node = cluster.node(1).addresses()[0].to_string();
    web.pod.run(&["ping", "-c1", "-W5", &node]).map(drop)
}

#[test]
fn blocks_with_exceptions_and_ranges_of_ports_are_kept() -> Result {
    let cluster = PolicyCluster::start(1)?;
    cluster.namespace("shop", &[])?;
    let db = cluster.pod(1, &PodObject::new("shop", "db", &[("app", "db")]))?;
    let db = Answering::on(db, &[80, 81, 90])?;
    let a = cluster.pod(1, &PodObject::new("shop", "a", &[]))?;
    let b = cluster.pod(1, &PodObject::new("shop", "b", &[]))?;
    let except: Vec<_> = b.addresses();
    let block = |index: usize, all: &str, length: u8| json!({ "ipBlock": { "cidr": all, "except": [format!("{}/{length}", except[index])] } });
    let allow = json!({
        "podSelector": { "matchLabels": { "app": "db" } },
        "ingress": [{
            "from": [block(0, "10.0.0.0/8", 32), block(1, "::/0", 128)],
            "ports": [{ "port": 80, "endPort": 81 }, { "port": 90, "protocol": "UDP" }],
        }],
    });
    cluster.policy("shop", "blocks", &allow)?;
    wait_reached_on(&a, &db.pod, 80, "tcp4 tcp6")?;
    wait_reached_on(&a, &db.pod, 81, "tcp4 tcp6")?;
    wait_reached_on(&a, &db.pod, 90, "udp4 udp6")?;
    wait_reached_on(&b, &db.pod, 80, "")?;
    wait_reached_on(&b, &db.pod, 90, "")
}

#[test]
fn tiers_of_the_cluster_come_before_and_after_the_policies_of_namespaces() -> Result {
    let cluster = PolicyCluster::start(1)?;
    cluster.namespace("shop", &[])?;
    cluster.namespace("scanner", &[])?;
    let web = answering(&cluster, 1, &PodObject::new("shop", "web", &[]))?;
    let near = answering(&cluster, 1, &PodObject::new("shop", "near", &[]))?;
    let scanner = answering(&cluster, 1, &PodObject::new("scanner", "probe", &[]))?;
    let named = |name: &str| json!({ "matchLabels": { "kubernetes.io/metadata.name": name } });
    let tier = |name: &str, tier: &str, action: &str, from: &str| {
        json!({
            "apiVersion": "policy.networking.k8s.io/v1alpha2", "kind": "ClusterNetworkPolicy",
            "metadata": { "name": name },
            "spec": {
                "tier": tier, "priority": 10,
                "subject": { "namespaces": named("shop") },
                "ingress": [{ "name": "all", "action": action, "from": [{ "namespaces": named(from) }] }],
            },
        })
    };
    cluster.put(&tier("baseline", "Baseline", "Deny", "shop"))?;
    wait_reached(&near.pod, &web.pod, "")?;
    wait_reached(&scanner.pod, &web.pod, ALL)?;

    // A NetworkPolicy that isolates takes the place of the baseline.
    let allow = json!({ "podSelector": {}, "ingress": [{ "from": [{ "podSelector": {} }] }] });
    cluster.policy("shop", "same-namespace", &allow)?;
    wait_reached(&near.pod, &web.pod, ALL)?;
    wait_reached(&scanner.pod, &web.pod, "")?;

    cluster.put(&tier("scanners", "Admin", "Accept", "scanner"))?;
    wait_reached(&scanner.pod, &web.pod, ALL)?;
    cluster.put(&tier("scanners", "Admin", "Pass", "scanner"))?;
    wait_reached(&scanner.pod, &web.pod, "")?;
    cluster.put(&tier("nobody", "Admin", "Deny", "shop"))?;
    wait_reached(&near.pod, &web.pod, "")
}
