//! The server, as a client sees it: lists, watches, and access.

mod client;
mod faults;
mod writes;

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::thread;

use k8s_openapi::api::core::v1::Node;
use k8s_openapi::api::rbac::v1::PolicyRule;
use nix::sched::{CloneFlags, unshare};
use serde::Deserialize as _;
use serde_json::{Value, json};
use wire::netns::Netns;

use self::client::Client;
use super::{ApiServer, real_node};

const USER: &str = "system:serviceaccount:flatland:routed";
const NODES: &str = "/api/v1/nodes";
const N1: &str = "/api/v1/nodes/n1";

/// A new network namespace with loopback up.
fn netns() -> Netns {
    let make = || {
        unshare(CloneFlags::CLONE_NEWNET).expect("tests need root, or `unshare -Urn` around them");
        let up = Command::new("ip")
            .args(["link", "set", "lo", "up"])
            .status();
        assert!(up.unwrap().success());
        Netns::open(Path::new("/proc/thread-self/ns/net")).unwrap()
    };
    thread::spawn(make).join().unwrap()
}

fn rule(verbs: &[&str], group: &str, resource: &str, names: &[&str]) -> PolicyRule {
    let rule = json!({
        "verbs": verbs, "apiGroups": [group], "resources": [resource], "resourceNames": names,
    });
    serde_json::from_value(rule).unwrap()
}

/// A server in a namespace of its own with some nodes, and a client that may do everything.
fn start(nodes: usize) -> (Arc<ApiServer>, Client) {
    let server = ApiServer::start(netns(), "127.0.0.1:0".parse().unwrap()).unwrap();
    server.add_token("secret", USER);
    server.grant(USER, None, &[rule(&["*"], "*", "*", &[])]);
    for number in 1..=nodes {
        put(&server, &format!("n{number}"));
    }
    let server = Arc::new(server);
    let client = Client::new(&server);
    (server, client)
}

fn node(name: &str) -> Value {
    real_node(
        name,
        &["192.168.1.1".parse().unwrap()],
        &["10.244.0.0/24"],
        "0123",
    )
}

fn put(server: &ApiServer, name: &str) {
    server.put(&node(name)).unwrap();
}

/// The names in a list, with blanks.
fn names(list: &Value) -> String {
    let items = list["items"].as_array().unwrap().iter();
    let names = items.map(|it| it["metadata"]["name"].as_str().unwrap());
    names.collect::<Vec<_>>().join(" ")
}

#[test]
fn pages_are_of_one_version_and_expire() {
    let (server, client) = start(5);
    let first = client.get("/api/v1/nodes?limit=2").ok();
    assert_eq!(
        (names(&first).as_str(), &first["kind"]),
        ("n1 n2", &"NodeList".into())
    );
    assert_eq!(first["metadata"]["remainingItemCount"], 3);
    assert!(first["items"][0]["kind"].is_null());
    server.delete("nodes", "", "n3");
    put(&server, "n31");
    let next = |page: &Value| {
        let token = page["metadata"]["continue"].as_str().unwrap();
        client.get(&format!("/api/v1/nodes?limit=2&continue={token}"))
    };
    let second = next(&first).ok();
    assert_eq!(names(&second), "n3 n4");
    let version = &first["metadata"]["resourceVersion"];
    assert_eq!(version, &second["metadata"]["resourceVersion"]);
    let third = next(&second).ok();
    assert_eq!(names(&third), "n5");
    assert!(third["metadata"]["continue"].is_null());

    server.compact();
    next(&first).fails(410, "Expired");
    // The limit does not count at version 0.
    let all = client.get("/api/v1/nodes?limit=2&resourceVersion=0").ok();
    assert_eq!(names(&all), "n1 n2 n31 n4 n5");
    let one = client
        .get("/api/v1/nodes?fieldSelector=metadata.name%3Dn4")
        .ok();
    assert_eq!(names(&one), "n4");
    client
        .get("/api/v1/nodes?resourceVersion=99999")
        .fails(504, "Timeout");
    client
        .get("/api/v1/nodes?labelSelector=a")
        .fails(400, "BadRequest");
}

#[test]
fn watch_from_a_version_gets_what_came_after() {
    let (server, client) = start(1);
    let version = server.version();
    put(&server, "n2");
    server.delete("nodes", "", "n1");
    let mut watch = client.watch(&format!("resourceVersion={version}"));
    assert_eq!(watch.next(), "ADDED n2");
    assert_eq!(watch.next(), "DELETED n1");
    put(&server, "n2");
    assert_eq!(watch.next(), "MODIFIED n2");
    let version = server.version().to_string();
    assert_eq!(watch.last["object"]["metadata"]["resourceVersion"], version);
    assert_eq!(watch.last["object"]["kind"], "Node");
    server.drop_watches();
    assert_eq!(watch.next(), "");
}

#[test]
fn watch_sends_bookmarks_only_if_allowed() {
    let (server, client) = start(2);
    let mut plain = client.watch("timeoutSeconds=1");
    let mut initial = client
        .watch("allowWatchBookmarks=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan");
    for watch in [&mut plain, &mut initial] {
        assert_eq!(watch.next(), "ADDED n1");
        assert_eq!(watch.next(), "ADDED n2");
    }
    assert_eq!(initial.next(), "BOOKMARK");
    let metadata = &initial.last["object"]["metadata"];
    assert_eq!(metadata["annotations"]["k8s.io/initial-events-end"], "true");
    assert_eq!(metadata["resourceVersion"], server.version().to_string());
    server.send_bookmarks();
    assert_eq!(initial.next(), "BOOKMARK");
    assert!(initial.last["object"]["metadata"]["annotations"].is_null());
    // The plain one ends by its timeout.
    assert_eq!(plain.next(), "");
    let wrong = client.get("/api/v1/nodes?watch=true&sendInitialEvents=true");
    wrong.fails(422, "Invalid");
}

#[test]
fn watch_of_selected_pods_sees_them_come_and_go() {
    let (server, client) = start(0);
    let put = |node: &str| {
        let metadata = json!({ "name": "web", "namespace": "default" });
        let spec = json!({ "containers": [], "nodeName": node });
        let pod = json!({ "apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec });
        server.put(&pod).unwrap();
    };
    put("n1");
    let mut watch = client.get("/api/v1/pods?watch=true&fieldSelector=spec.nodeName=n2");
    put("n2");
    put("n1");
    assert_eq!(watch.next(), "ADDED web");
    assert_eq!(watch.next(), "DELETED web");
}

#[test]
fn compacted_version_is_410_in_the_stream() {
    let (server, client) = start(0);
    let version = server.version();
    put(&server, "n1");
    let mut running = client.watch("");
    assert_eq!(running.next(), "ADDED n1");
    server.compact();
    let mut old = client.watch(&format!("resourceVersion={version}"));
    assert_eq!(old.next(), "ERROR");
    assert_eq!(old.last["object"]["code"], 410);
    assert_eq!(old.last["object"]["reason"], "Expired");
    assert_eq!(old.next(), "");
    put(&server, "n1");
    assert_eq!(running.next(), "MODIFIED n1");
    server.expire_watches();
    assert_eq!(running.next(), "ERROR");
    assert_eq!(running.next(), "");
}

#[test]
fn tokens_and_rules_are_checked() {
    let (server, mut client) = start(1);
    server.revoke_grants(USER);
    let list = client.get(NODES).fails(403, "Forbidden");
    let expected = format!(
        "nodes is forbidden: User \"{USER}\" cannot list resource \"nodes\" in API group \"\" at \
         the cluster scope"
    );
    assert_eq!(list["message"], expected);
    assert_eq!(list["details"], json!({ "kind": "nodes" }));
    server.grant(USER, None, &[rule(&["get", "watch"], "", "nodes", &["n1"])]);
    client.get(N1).ok();
    client.get("/api/v1/nodes/n2").fails(403, "Forbidden");
    client.get(NODES).fails(403, "Forbidden");
    client
        .patch("/api/v1/nodes/n1/status", "merge", &json!({}))
        .fails(403, "Forbidden");
    server.grant(
        USER,
        Some("blue"),
        &[rule(&["list"], "networking.k8s.io", "*", &[])],
    );
    let policies = "/apis/networking.k8s.io/v1/namespaces";
    client.get(&format!("{policies}/blue/networkpolicies")).ok();
    client
        .get(&format!("{policies}/red/networkpolicies"))
        .fails(403, "Forbidden");

    server.revoke_token("secret");
    client.get(N1).fails(401, "Unauthorized");
    client.token = None;
    let anonymous = client.get(N1).fails(403, "Forbidden");
    assert!(
        anonymous["message"]
            .as_str()
            .unwrap()
            .contains("system:anonymous")
    );
}

#[test]
fn requests_and_their_bytes_are_recorded() {
    let (server, client) = start(1);
    let uri = "/api/v1/nodes?limit=500";
    let bytes = client.get(uri).bytes().unwrap().len() as u64;
    let [record] = &server.records()[..] else {
        panic!("{:?}", server.records());
    };
    let text = |it: &str| it.to_owned();
    let expected = [text("list"), text("nodes"), text(USER), text(uri)];
    assert_eq!(
        expected,
        [&record.verb, &record.resource, &record.user, &record.uri].map(|it| text(it))
    );
    assert_eq!(
        (record.code, record.bytes(), record.is_write()),
        (200, bytes, false)
    );
    server.clear_records();
    client
        .patch("/api/v1/nodes/n1/status", "merge", &json!({}))
        .ok();
    assert!(server.records()[0].is_write());
    assert_eq!(server.count("patch", "nodes/status"), 1);
}

#[test]
fn real_node_is_a_node_of_real_size() {
    let node = node("n1");
    Node::deserialize(&node).unwrap();
    let size = node.to_string().len();
    assert!((10_000..50_000).contains(&size), "{size}");
}
