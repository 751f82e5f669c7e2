//! Writes.

use serde_json::{Value, json};

use super::{N1, NODES, start};

#[test]
fn update_of_an_old_version_is_a_conflict() {
    let (server, client) = start(1);
    let mut new = client.get(N1).ok();
    let old = new["metadata"]["resourceVersion"].clone();
    new["metadata"]["labels"]["zone"] = "b".into();
    new["status"]["phase"] = "Pending".into();
    let written = client.write("PUT", N1, &new).ok();
    assert_ne!(written["metadata"]["resourceVersion"], old);
    assert!(
        written["status"]["phase"].is_null(),
        "status has a subresource"
    );
    client.write("PUT", N1, &new).fails(409, "Conflict");
    let version = server.version();
    client.write("PUT", N1, &written).ok();
    assert_eq!(
        server.version(),
        version,
        "what stays the same is not written"
    );
    new["spec"] = json!({ "podCIDRs": 7 });
    client.write("PUT", N1, &new).fails(400, "BadRequest");
}

#[test]
fn patches_merge_conditions_by_type() {
    let (server, client) = start(1);
    let path = "/api/v1/nodes/n1/status";
    let count = |node: &Value| node["status"]["conditions"].as_array().unwrap().len();
    let condition = |condition: Value| json!({ "status": { "conditions": [condition] } });
    let add = condition(json!({ "type": "FlatlandReady", "status": "True" }));
    let delete = condition(json!({ "type": "FlatlandReady", "$patch": "delete" }));
    assert_eq!(count(&client.patch(path, "strategic-merge", &add).ok()), 5);
    let version = server.version();
    client.patch(path, "strategic-merge", &add).ok();
    let stale = json!({ "metadata": { "resourceVersion": "1" }, "status": {} });
    client.patch(path, "merge", &stale).fails(409, "Conflict");
    client
        .patch(path, "json", &add)
        .fails(415, "UnsupportedMediaType");
    assert_eq!(server.version(), version);
    assert_eq!(
        count(&client.patch(path, "strategic-merge", &delete).ok()),
        4
    );
    assert_eq!(count(&client.patch(path, "merge", &add).ok()), 1);
}

#[test]
fn objects_are_created_and_deleted() {
    let (server, client) = start(0);
    let path = "/api/v1/namespaces/default/events";
    let mut event = json!({
        "apiVersion": "v1", "kind": "Event", "metadata": { "generateName": "n1." },
        "involvedObject": { "kind": "Node", "name": "n1" }, "reason": "ForeignConflist",
    });
    client
        .write("POST", "/api/v1/namespaces/lost/events", &event)
        .fails(404, "NotFound");
    client.write("POST", NODES, &event).fails(400, "BadRequest");
    let made = client.write("POST", path, &event).is(201);
    let name = made["metadata"]["name"].as_str().unwrap();
    assert!(name.starts_with("n1."), "{name}");
    assert!(!made["metadata"]["uid"].is_null() && !made["metadata"]["creationTimestamp"].is_null());
    event["metadata"]["name"] = name.into();
    client
        .write("POST", path, &event)
        .fails(409, "AlreadyExists");
    assert_eq!(server.count("create", "events"), 3);
    let path = format!("{path}/{name}");
    client.write("DELETE", &path, &Value::Null).ok();
    client.get(&path).fails(404, "NotFound");
    client.get("/api/v1/secrets").fails(404, "NotFound");
}
