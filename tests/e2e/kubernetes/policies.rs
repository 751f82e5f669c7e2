//! The policies that tie writes of the `ServiceAccount` to its node: what their expressions allow,
//! judged by a library for CEL. The API server's own has more types and limits on cost.

use cel::{Context, Program};
use k8s_openapi::api::admissionregistration::v1::{
    ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding,
};
use serde_json::{Value, json};

use crate::manifests::{file, find};

const MANIFEST: &str = "kubernetes/flatland.yaml";
const NODE_NAME: &str = "authentication.kubernetes.io/node-name";

fn policy(name: &str) -> ValidatingAdmissionPolicy {
    find(&file(MANIFEST), "ValidatingAdmissionPolicy", name)
}

#[test]
fn policies_refuse_writes_of_the_service_account_by_default() {
    for (name, resource, operations) in [
        ("flatland-nodes", "nodes/status", &["UPDATE"][..]),
        ("flatland-events", "events", &["CREATE", "UPDATE"]),
    ] {
        let spec = policy(name).spec.unwrap();
        assert_eq!(spec.failure_policy.as_deref(), Some("Fail"));
        let rules = spec.match_constraints.unwrap().resource_rules.unwrap();
        assert_eq!(rules[0].resources.as_deref().unwrap(), [resource]);
        assert_eq!(rules[0].operations.as_deref().unwrap(), operations);
        let kind = "ValidatingAdmissionPolicyBinding";
        let binding: ValidatingAdmissionPolicyBinding = find(&file(MANIFEST), kind, name);
        let spec = binding.spec.unwrap();
        assert_eq!(spec.policy_name.as_deref(), Some(name));
        assert_eq!(spec.validation_actions.unwrap(), ["Deny"]);
    }
}

/// A write, as the API server shows it to a policy.
fn write(user: &str, node: Option<&str>, new: &Value, old: &Value) -> Context<'static, 'static> {
    let mut user = json!({ "username": user });
    if let Some(node) = node {
        user["extra"] = json!({ NODE_NAME: [node] });
    }
    let mut context = Context::default();
    let request = json!({ "userInfo": user });
    for (name, value) in [("request", &request), ("object", new), ("oldObject", old)] {
        context.add_variable_from_value(name, as_cel(value));
    }
    context
}

fn as_cel(value: &Value) -> cel::Value {
    match value {
        Value::Object(fields) => {
            let fields = fields
                .iter()
                .map(|(key, value)| (key.clone(), as_cel(value)));
            fields.collect::<std::collections::HashMap<_, _>>().into()
        }
        Value::Array(items) => items.iter().map(as_cel).collect::<Vec<_>>().into(),
        Value::String(text) => text.clone().into(),
        Value::Null => cel::Value::Null,
        other => panic!("{other} is not in these objects"),
    }
}

fn is_true(expression: &str, context: &Context<'_, '_>) -> bool {
    let program = Program::compile(expression).unwrap();
    let value = program.execute(context);
    // An error refuses, by the failure policy.
    value.is_ok_and(|value| value == cel::Value::Bool(true))
}

/// Whether a write is allowed; those that are not of `routed` are none of the policy's business.
fn allows(policy: &ValidatingAdmissionPolicy, context: &Context<'_, '_>) -> bool {
    let spec = policy.spec.as_ref().unwrap();
    let mut conditions = spec.match_conditions.iter().flatten();
    let mut rules = spec.validations.iter().flatten();
    !conditions.all(|it| is_true(&it.expression, context))
        || rules.all(|it| is_true(&it.expression, context))
}

/// A Node with further `metadata`, an address and these conditions.
fn node(name: &str, metadata: &Value, address: &str, conditions: &[[&str; 2]]) -> Value {
    let condition = |[kind, status]: &[&str; 2]| json!({ "type": kind, "status": status });
    let conditions: Vec<_> = conditions.iter().map(condition).collect();
    let status = json!({
        "addresses": [{ "type": "InternalIP", "address": address }],
        "nodeInfo": { "machineID": "m" },
        "conditions": conditions,
    });
    let mut node = json!({ "metadata": metadata, "status": status });
    node["metadata"]["name"] = name.into();
    node
}

const ROUTED: &str = "system:serviceaccount:flatland:routed";

#[test]
fn routed_may_write_the_status_of_its_own_node_only() {
    let policy = policy("flatland-nodes");
    let none = json!({});
    let labels = json!({ "labels": { "a": "b" }, "annotations": { "c": "d" } });
    let other_label = json!({ "labels": { "a": "x" }, "annotations": { "c": "d" } });
    let no_label = json!({ "annotations": { "c": "d" } });
    let other_annotation = json!({ "labels": { "a": "b" }, "annotations": { "c": "x" } });
    for (user, of, name, new, old, expected) in [
        (ROUTED, Some("n1"), "n1", &none, &none, true),
        (ROUTED, Some("n1"), "n1", &labels, &labels, true),
        (ROUTED, Some("n1"), "n2", &labels, &labels, false),
        (ROUTED, None, "n1", &labels, &labels, false),
        (ROUTED, Some("n1"), "n1", &other_label, &labels, false),
        (ROUTED, Some("n1"), "n1", &no_label, &labels, false),
        (ROUTED, Some("n1"), "n1", &labels, &no_label, false),
        (ROUTED, Some("n1"), "n1", &other_annotation, &labels, false),
        // A kubelet's writes have rules of their own.
        ("system:node:n1", None, "n1", &other_label, &labels, true),
    ] {
        let with = |metadata| node(name, metadata, "192.168.1.11", &[]);
        let context = write(user, of, &with(new), &with(old));
        assert_eq!(
            allows(&policy, &context),
            expected,
            "{user} {of:?}: {name} {new}"
        );
    }
}

#[test]
fn routed_may_change_its_condition_of_the_status_only() {
    let policy = policy("flatland-nodes");
    let (address, other) = ("192.168.1.11", "192.168.1.12");
    let ready = ["Ready", "True"];
    let [own, own_false] = [["FlatlandReady", "True"], ["FlatlandReady", "False"]];
    for (address_now, now, before, expected) in [
        (address, &[ready, own][..], &[ready][..], true),
        (address, &[ready, own_false], &[ready, own], true),
        (address, &[own, ready], &[ready, own_false], true),
        (address, &[ready], &[ready, own], true),
        (address, &[own], &[], true),
        (other, &[ready, own], &[ready], false),
        (address, &[["Ready", "False"], own], &[ready], false),
        (address, &[own], &[ready], false),
        (address, &[ready, ["Other", "True"]], &[ready], false),
    ] {
        let metadata = json!({});
        let new = node("n1", &metadata, address_now, now);
        let old = node("n1", &metadata, address, before);
        let context = write(ROUTED, Some("n1"), &new, &old);
        assert_eq!(allows(&policy, &context), expected, "{now:?} {before:?}");
    }
    let mut clone = node("n1", &json!({}), address, &[own]);
    let old = clone.clone();
    clone["status"]["nodeInfo"]["machineID"] = "x".into();
    assert!(!allows(&policy, &write(ROUTED, Some("n1"), &clone, &old)));
}

#[test]
fn routed_may_write_events_about_its_own_node_only() {
    let policy = policy("flatland-events");
    let about =
        |kind: &str, name: &str| json!({ "involvedObject": { "kind": kind, "name": name } });
    let own = about("Node", "n1");
    for (user, new, old, expected) in [
        (ROUTED, own.clone(), Value::Null, true),
        (ROUTED, own.clone(), own.clone(), true),
        (ROUTED, about("Node", "n2"), Value::Null, false),
        (ROUTED, about("Pod", "n1"), Value::Null, false),
        (ROUTED, own.clone(), about("Node", "n2"), false),
        (ROUTED, own.clone(), about("Pod", "n1"), false),
        ("system:node:n2", about("Node", "n2"), Value::Null, true),
    ] {
        let context = write(user, Some("n1"), &new, &old);
        assert_eq!(allows(&policy, &context), expected, "{user}: {new} {old}");
    }
}
