//! The watch against an API server: what the receiver has is what the server has, whatever happens on
//! the way.

#![allow(clippy::unwrap_used, reason = "whatever fails here fails the test")]

mod receiver;
mod server;

use std::time::Duration;

use lab::apiserver::Faults;
use serde_json::json;

use self::receiver::ClusterReceiver;
use self::server::{Server, cluster_policy, namespace, network_policy, pod};

#[test]
fn objects_of_all_kinds_are_read_and_followed() {
    Server::new().run(async |server| {
        server.put(&namespace("shop"));
        server.put(&pod("shop", "web", "10.244.1.2"));
        server.put(&network_policy("shop", "closed"));
        let mut receiver = ClusterReceiver::start(server, None);
        receiver.wait_complete().await;
        let first = "np shop/closed; ns default; ns kube-system; ns shop; pod shop/web 10.244.1.2";
        assert_eq!(receiver.objects(), first);
        assert_eq!(receiver.installed, Some(true));

        server.put(&pod("shop", "web", "10.244.1.3"));
        server.put(&cluster_policy("admin"));
        server.api.delete("networkpolicies", "shop", "closed");
        let now = "cnp admin; ns default; ns kube-system; ns shop; pod shop/web 10.244.1.3";
        receiver.wait_for(now).await;
        server.api.delete("pods", "shop", "web");
        server.api.delete("clusternetworkpolicies", "", "admin");
        receiver
            .wait_for("ns default; ns kube-system; ns shop")
            .await;
    });
}

#[test]
fn large_list_comes_in_pages_and_new_ones_before_what_is_gone() {
    Server::new().run(async |server| {
        for number in 0..600 {
            server.put(&pod("default", &format!("old-{number:03}"), "10.244.1.2"));
        }
        let mut receiver = ClusterReceiver::start(server, None);
        receiver.wait_complete().await;
        assert_eq!(receiver.count("pod"), 600);
        let pages = server.uris("list", "pods");
        assert_eq!(pages.len(), 3, "{pages:?}");

        // What happens while nobody watches, and is compacted, is in no event.
        server.api.stop();
        for number in 0..600 {
            let name = format!("old-{number:03}");
            server.api.delete("pods", "default", &name);
        }
        server.put(&pod("default", "new", "10.244.1.2"));
        server.api.compact();
        server.api.listen().unwrap();
        receiver.wait_until(|it| it.count("pod") == 1).await;
        assert_eq!(receiver.changes_of_pods.last(), Some(&-600));
        assert!(receiver.objects().contains("pod default/new"));
    });
}

#[test]
fn another_cluster_is_refused_until_it_is_trusted() {
    Server::new().run(async |server| {
        server.put(&pod("default", "web", "10.244.1.2"));
        let mut receiver = ClusterReceiver::start(server, None);
        receiver.wait_complete().await;
        let before = receiver.objects();
        let ours = receiver.watch.cluster().unwrap();
        server.api.stop();
        server.api.replace_cluster(1_000_000);
        server.api.listen().unwrap();
        server.put(&pod("default", "other", "10.244.1.2"));
        receiver.wait_until(|it| it.refusals == 4).await;
        assert_eq!(receiver.objects(), before);
        assert_eq!(receiver.watch.cluster(), Some(ours));

        let other = receiver.watch.other_cluster().unwrap();
        assert_ne!(other, ours);
        receiver.watch.trust(other);
        let now = "ns default; ns kube-system; pod default/other 10.244.1.2";
        receiver.wait_for(now).await;
        assert_eq!(receiver.watch.other_cluster(), None);
    });
}

#[test]
fn cluster_that_is_not_the_known_one_is_never_complete() {
    Server::new().run(async |server| {
        let mut receiver = ClusterReceiver::start(server, Some(1));
        receiver.wait_until(|it| it.refusals == 4).await;
        assert_eq!(
            (receiver.objects(), receiver.is_complete),
            (String::new(), false)
        );
    });
}

#[test]
fn definition_that_is_not_installed_keeps_nothing_waiting() {
    Server::new().run(async |server| {
        server.api.set_faults(Faults {
            missing: Some("clusternetworkpolicies"),
            ..Faults::default()
        });
        let mut receiver = ClusterReceiver::start(server, None);
        receiver.wait_complete().await;
        assert_eq!(receiver.installed, Some(false));
        let asked = server.uris("list", "clusternetworkpolicies").len();
        // A collection that cannot be read is asked for again within 200 ms.
        receiver.wait_quiet(Duration::from_millis(500)).await;
        assert_eq!(server.uris("list", "clusternetworkpolicies").len(), asked);
    });
}

#[test]
fn outage_is_reported_once_and_changes_nothing() {
    Server::new().run(async |server| {
        server.put(&pod("default", "web", "10.244.1.2"));
        let mut receiver = ClusterReceiver::start(server, None);
        receiver.wait_complete().await;
        let before = receiver.objects();
        server.api.stop();
        receiver.wait_until(|it| it.outages == 4).await;
        server.put(&pod("default", "late", "10.244.1.3"));
        assert_eq!(receiver.objects(), before);
        server.api.listen().unwrap();
        receiver.wait_until(|it| it.count("pod") == 2).await;
        receiver.wait_until(|it| it.outages == 0).await;
    });
}

#[test]
fn rights_of_the_four_collections_are_enough() {
    let groups = [
        ("", json!(["pods", "namespaces"])),
        ("networking.k8s.io", json!(["networkpolicies"])),
        (
            "policy.networking.k8s.io",
            json!(["clusternetworkpolicies"]),
        ),
    ];
    let rules = groups.map(|(group, resources)| {
        json!({ "apiGroups": [group], "resources": resources, "verbs": ["get", "list", "watch"] })
    });
    Server::with_rules(&rules).run(async |server| {
        let mut receiver = ClusterReceiver::start(server, None);
        receiver.wait_complete().await;
        assert_eq!((receiver.outages, receiver.installed), (0, Some(true)));
    });
}
