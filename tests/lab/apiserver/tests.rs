//! The server, as a client sees it.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use hyper::StatusCode;
use k8s_openapi::api::core::v1::Node;
use k8s_openapi::api::rbac::v1::PolicyRule;
use nix::sched::{CloneFlags, unshare};
use serde_json::{Value, json};
use wire::netns::Netns;

use self::client::{Answered, Client};
use super::{Answer, ApiServer, Certificate, Faults, real_node};

mod client;

const USER: &str = "system:serviceaccount:flatland:routed";

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

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

fn rule(verbs: &[&str], groups: &[&str], resources: &[&str]) -> PolicyRule {
    PolicyRule {
        api_groups: Some(words(groups)),
        resources: Some(words(resources)),
        verbs: words(verbs),
        ..PolicyRule::default()
    }
}

/// A server in a namespace of its own, and a client that may do everything.
fn start() -> (Arc<ApiServer>, Client) {
    let address: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let server = Arc::new(ApiServer::start(netns(), address).unwrap());
    server.add_token("secret", USER);
    server.grant(USER, None, &[rule(&["*"], &["*"], &["*"])]);
    let client = Client::new(&server);
    (server, client)
}

fn node(name: &str) -> Node {
    real_node(
        name,
        &["192.168.1.1".parse().unwrap()],
        &["10.244.0.0/24"],
        "0123",
    )
}

fn put_nodes(server: &ApiServer, count: usize) {
    for number in 1..=count {
        server.put(&node(&format!("n{number}"))).unwrap();
    }
}

fn names(list: &Value) -> Vec<&str> {
    let items = list["items"].as_array().unwrap().iter();
    items
        .map(|it| it["metadata"]["name"].as_str().unwrap())
        .collect()
}

const NODES: &str = "/api/v1/nodes";

#[test]
fn pages_are_of_one_version_and_expire() {
    let (server, client) = start();
    put_nodes(&server, 5);
    let first = client.get("/api/v1/nodes?limit=2").ok();
    assert_eq!(names(&first), ["n1", "n2"]);
    assert_eq!(first["kind"], "NodeList");
    assert_eq!(first["metadata"]["remainingItemCount"], 3);
    assert!(first["items"][0]["kind"].is_null());
    server.delete("nodes", "", "n3");
    server.put(&node("n31")).unwrap();
    let next = |page: &Value| {
        let token = page["metadata"]["continue"].as_str().unwrap();
        client.get(&format!("/api/v1/nodes?limit=2&continue={token}"))
    };
    let second = next(&first).ok();
    assert_eq!(names(&second), ["n3", "n4"]);
    let version = &first["metadata"]["resourceVersion"];
    assert_eq!(version, &second["metadata"]["resourceVersion"]);
    let third = next(&second).ok();
    assert_eq!(names(&third), ["n5"]);
    assert!(third["metadata"]["continue"].is_null());

    server.compact();
    next(&first).fails(410, "Expired");
    // The limit does not count at version 0.
    let all = client.get("/api/v1/nodes?limit=2&resourceVersion=0").ok();
    assert_eq!(names(&all), ["n1", "n2", "n31", "n4", "n5"]);
    let one = client
        .get("/api/v1/nodes?fieldSelector=metadata.name%3Dn4")
        .ok();
    assert_eq!(names(&one), ["n4"]);
    client
        .get("/api/v1/nodes?resourceVersion=99999")
        .fails(504, "Timeout");
    client
        .get("/api/v1/nodes?labelSelector=a")
        .fails(400, "BadRequest");
}

#[test]
fn watch_from_a_version_gets_what_came_after() {
    let (server, client) = start();
    put_nodes(&server, 1);
    let version = server.version();
    server.put(&node("n2")).unwrap();
    server.delete("nodes", "", "n1");
    let mut watch = client.watch(&format!("resourceVersion={version}"));
    assert_eq!(watch.next(), Some(("ADDED".into(), "n2".into())));
    assert_eq!(watch.next(), Some(("DELETED".into(), "n1".into())));
    server.put(&node("n2")).unwrap();
    assert_eq!(watch.next(), Some(("MODIFIED".into(), "n2".into())));
    let version = server.version().to_string();
    assert_eq!(watch.last["object"]["metadata"]["resourceVersion"], version);
    assert_eq!(watch.last["object"]["kind"], "Node");
    server.drop_watches();
    assert_eq!(watch.next(), None);
}

#[test]
fn watch_sends_bookmarks_only_if_allowed() {
    let (server, client) = start();
    put_nodes(&server, 2);
    let version = server.version();
    let mut plain = client.watch("timeoutSeconds=1");
    let mut initial = client
        .watch("allowWatchBookmarks=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan");
    for watch in [&mut plain, &mut initial] {
        assert_eq!(watch.next(), Some(("ADDED".into(), "n1".into())));
        assert_eq!(watch.next(), Some(("ADDED".into(), "n2".into())));
    }
    assert_eq!(initial.next().unwrap().0, "BOOKMARK");
    let metadata = &initial.last["object"]["metadata"];
    assert_eq!(metadata["annotations"]["k8s.io/initial-events-end"], "true");
    assert_eq!(metadata["resourceVersion"], version.to_string());
    server.send_bookmarks();
    assert_eq!(initial.next().unwrap().0, "BOOKMARK");
    assert!(initial.last["object"]["metadata"]["annotations"].is_null());
    // The plain one ends by its timeout.
    assert_eq!(plain.next(), None);
    let wrong = client.get("/api/v1/nodes?watch=true&sendInitialEvents=true");
    wrong.fails(422, "Invalid");
}

#[test]
fn watch_of_selected_pods_sees_them_come_and_go() {
    let (server, client) = start();
    let put = |node: &str| {
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": { "name": "web", "namespace": "default" },
            "spec": { "containers": [], "nodeName": node },
        });
        server.put(&pod).unwrap();
    };
    put("n1");
    let mut watch = client.watch_of("/api/v1/pods", "fieldSelector=spec.nodeName=n2");
    put("n2");
    put("n1");
    assert_eq!(watch.next().unwrap().0, "ADDED");
    assert_eq!(watch.next().unwrap().0, "DELETED");
}

#[test]
fn compacted_version_is_410_in_the_stream() {
    let (server, client) = start();
    let version = server.version();
    put_nodes(&server, 1);
    let mut running = client.watch("");
    assert_eq!(running.next(), Some(("ADDED".into(), "n1".into())));
    server.compact();
    let mut old = client.watch(&format!("resourceVersion={version}"));
    assert_eq!(old.next().unwrap().0, "ERROR");
    assert_eq!(old.last["object"]["code"], 410);
    assert_eq!(old.last["object"]["reason"], "Expired");
    assert_eq!(old.next(), None);
    // One that runs goes on, until it is told to end.
    put_nodes(&server, 1);
    assert_eq!(running.next().unwrap().0, "MODIFIED");
    server.expire_watches();
    assert_eq!(running.next().unwrap().0, "ERROR");
    assert_eq!(running.next(), None);
}

#[test]
fn tokens_and_rules_are_checked() {
    let (server, mut client) = start();
    put_nodes(&server, 1);
    server.revoke_grants(USER);
    let list = client.get(NODES).fails(403, "Forbidden");
    let user = format!("User \"{USER}\"");
    let expected = format!(
        "nodes is forbidden: {user} cannot list resource \"nodes\" in API group \"\" at the \
         cluster scope"
    );
    assert_eq!(list["message"], expected);
    assert_eq!(list["details"], json!({ "kind": "nodes" }));
    let one = rule(&["get", "watch"], &[""], &["nodes"]);
    let resource_names = Some(words(&["n1"]));
    server.grant(
        USER,
        None,
        &[PolicyRule {
            resource_names,
            ..one
        }],
    );
    client.get("/api/v1/nodes/n1").ok();
    client.get("/api/v1/nodes/n2").fails(403, "Forbidden");
    client.get(NODES).fails(403, "Forbidden");
    client
        .patch("/api/v1/nodes/n1/status", "merge", &json!({}))
        .fails(403, "Forbidden");
    server.grant(
        USER,
        Some("blue"),
        &[rule(&["list"], &["networking.k8s.io"], &["*"])],
    );
    let policies = "/apis/networking.k8s.io/v1/namespaces";
    client.get(&format!("{policies}/blue/networkpolicies")).ok();
    client
        .get(&format!("{policies}/red/networkpolicies"))
        .fails(403, "Forbidden");

    server.revoke_token("secret");
    client.get("/api/v1/nodes/n1").fails(401, "Unauthorized");
    client.token = None;
    let anonymous = client.get("/api/v1/nodes/n1").fails(403, "Forbidden");
    assert!(
        anonymous["message"]
            .as_str()
            .unwrap()
            .contains("system:anonymous")
    );
}

#[test]
fn update_of_an_old_version_is_a_conflict() {
    let (server, client) = start();
    put_nodes(&server, 1);
    let path = "/api/v1/nodes/n1";
    let old = client.get(path).ok();
    let mut new = old.clone();
    new["metadata"]["labels"]["zone"] = "b".into();
    new["status"]["phase"] = "Pending".into();
    let written = client.put(path, &new).ok();
    assert_ne!(
        written["metadata"]["resourceVersion"],
        old["metadata"]["resourceVersion"]
    );
    assert!(
        written["status"]["phase"].is_null(),
        "status has a subresource"
    );
    client.put(path, &new).fails(409, "Conflict");
    let version = server.version();
    client.put(path, &written).ok();
    assert_eq!(
        server.version(),
        version,
        "what stays the same is not written"
    );
    new["spec"] = json!({ "podCIDRs": 7 });
    client.put(path, &new).fails(400, "BadRequest");
}

#[test]
fn patches_merge_conditions_by_type() {
    let (server, client) = start();
    put_nodes(&server, 1);
    let path = "/api/v1/nodes/n1/status";
    let types = |node: &Value| node["status"]["conditions"].as_array().unwrap().len();
    let condition =
        json!({ "status": { "conditions": [{ "type": "FlatlandReady", "status": "True" }] } });
    let node = client.patch(path, "strategic-merge", &condition).ok();
    assert_eq!(types(&node), 5);
    let version = server.version();
    client.patch(path, "strategic-merge", &condition).ok();
    assert_eq!(server.version(), version);
    let delete =
        json!({ "status": { "conditions": [{ "type": "FlatlandReady", "$patch": "delete" }] } });
    assert_eq!(
        types(&client.patch(path, "strategic-merge", &delete).ok()),
        4
    );
    assert_eq!(types(&client.patch(path, "merge", &condition).ok()), 1);
    client
        .patch(path, "json", &condition)
        .fails(415, "UnsupportedMediaType");
    let version = server.version();
    let stale = json!({ "metadata": { "resourceVersion": "1" }, "status": {} });
    client.patch(path, "merge", &stale).fails(409, "Conflict");
    assert_eq!(server.version(), version);
}

#[test]
fn objects_are_created_and_deleted() {
    let (server, client) = start();
    let path = "/api/v1/namespaces/default/events";
    let event = json!({
        "apiVersion": "v1", "kind": "Event", "metadata": { "generateName": "n1." },
        "involvedObject": { "kind": "Node", "name": "n1" }, "reason": "ForeignConflist",
    });
    let made = client.post(path, &event).is(201);
    let name = made["metadata"]["name"].as_str().unwrap();
    assert!(name.starts_with("n1."), "{name}");
    assert!(!made["metadata"]["uid"].is_null() && !made["metadata"]["creationTimestamp"].is_null());
    let mut same = event.clone();
    same["metadata"]["name"] = name.into();
    client.post(path, &same).fails(409, "AlreadyExists");
    client
        .post("/api/v1/namespaces/lost/events", &event)
        .fails(404, "NotFound");
    client.post(NODES, &event).fails(400, "BadRequest");
    client.delete(&format!("{path}/{name}")).ok();
    client.get(&format!("{path}/{name}")).fails(404, "NotFound");
    client.get("/api/v1/secrets").fails(404, "NotFound");
    assert_eq!(server.count("create", "events"), 4 - 1);
}

#[test]
fn faults_come_in_order_and_end() {
    let (server, client) = start();
    put_nodes(&server, 4);
    let refused = Answer::Failure {
        code: 429,
        retry_after: Some(7),
    };
    let mut faults = Faults::next(1, refused);
    faults
        .next
        .extend([Answer::EmptyList, Answer::TruncatedList, Answer::BrokenList]);
    server.set_faults(Faults {
        verb: Some("list"),
        ..faults
    });
    client.get("/api/v1/nodes/n1").ok();
    let answer = client.get(NODES);
    assert_eq!(answer.retry_after.as_deref(), Some("7"));
    assert_eq!(
        answer.fails(429, "TooManyRequests")["details"]["retryAfterSeconds"],
        7
    );
    assert_eq!(names(&client.get(NODES).ok()), [""; 0]);
    let cut = client.get(NODES);
    assert!(cut.whole && cut.json.is_null());
    assert!(!client.get(NODES).whole);
    assert_eq!(names(&client.get(NODES).ok()).len(), 4);

    server.set_faults(Faults {
        garbage_events: 1,
        hang: true,
        ..Faults::default()
    });
    thread::scope(|scope| {
        let waiting = scope.spawn(|| client.watch("").next());
        assert_eq!(client.code_within(Duration::from_millis(200), NODES), None);
        assert!(!waiting.is_finished());
        server.set_faults(Faults {
            garbage_events: 1,
            ..Faults::default()
        });
        assert_eq!(
            waiting.join().unwrap(),
            Some(("garbage".into(), String::new()))
        );
    });
}

#[test]
fn certificates_are_replaced() {
    let (server, mut client) = start();
    server.show(Certificate::WrongName).unwrap();
    assert!(
        client.error().contains("not valid for name"),
        "{}",
        client.error()
    );
    server.show(Certificate::WrongAuthority).unwrap();
    assert!(
        client.error().contains("BadSignature"),
        "{}",
        client.error()
    );
    server.rotate_ca().unwrap();
    assert!(!client.error().is_empty());
    client = Client::new(&server);
    client.get(NODES).ok();
}

#[test]
fn server_comes_back_with_another_history() {
    let (server, client) = start();
    put_nodes(&server, 1);
    let saved = server.save();
    let uid = |server: &ApiServer| {
        server.get("namespaces", "", "kube-system").unwrap()["metadata"]["uid"].clone()
    };
    let own = uid(&server);
    let mut watch = client.watch("");
    assert!(watch.next().is_some());
    server.stop();
    assert_eq!(watch.next(), None);
    assert!(!client.error().is_empty());
    server.replace_cluster(5);
    server.listen().unwrap();
    assert_eq!(names(&client.get(NODES).ok()), [""; 0]);
    assert!(server.version() < 1000 && uid(&server) != own);
    server.stop();
    server.restore(&saved);
    server.listen().unwrap();
    assert_eq!(names(&client.get(NODES).ok()), ["n1"]);
    assert_eq!(uid(&server), own);
}

#[test]
fn requests_and_their_bytes_are_recorded() {
    let (server, client) = start();
    put_nodes(&server, 1);
    let answer: Answered = client.get("/api/v1/nodes?limit=500");
    let [record] = &server.records()[..] else {
        panic!("{:?}", server.records());
    };
    assert_eq!(
        (record.verb.as_str(), record.resource.as_str()),
        ("list", "nodes")
    );
    assert_eq!(
        (record.uri.as_str(), record.user.as_str()),
        ("/api/v1/nodes?limit=500", USER)
    );
    assert_eq!(
        (record.code, record.bytes()),
        (StatusCode::OK.as_u16(), answer.length)
    );
    assert!(!record.is_write());
    server.clear_records();
    client
        .patch("/api/v1/nodes/n1/status", "merge", &json!({}))
        .ok();
    assert!(server.records()[0].is_write());
    assert_eq!(server.count("patch", "nodes/status"), 1);
}

#[test]
fn real_node_has_the_size_of_real_nodes() {
    let size = serde_json::to_vec(&node("n1")).unwrap().len();
    assert!((15_000..40_000).contains(&size), "{size}");
}
