//! The Helm chart: what it renders are the manifests, and its values do what their schema says.

use std::process::Output;

use serde_json::{Value, json};
use wire::conf::Conflist;

use crate::conflists::{conflist, conflist_hash, sha256};
use crate::manifests::{build, conf, file, kind, objects, program};

const CHART: &str = "helm/flatland";

/// The values that make the manifest for an etcd.
const ETCD: [&str; 4] = [
    "registry=\"etcd\"",
    "etcd.endpoints=[\"https://10.96.23.79:2479\"]",
    "podCIDRs=[\"10.244.0.0/16\"]",
    "chainedPlugins=[]",
];

fn helm(words: &[&str]) -> Output {
    let mut helm = program("helm");
    helm.args(words)
        .output()
        .expect("helm is here: run `make setup`")
}

/// Renders the chart with `values`, each `PATH=JSON`.
fn render(values: &[&str]) -> Result<Vec<Value>, String> {
    let chart = conf(CHART);
    let mut words = vec!["template", "flatland", chart.to_str().unwrap()];
    words.extend(["--namespace", "flatland"]);
    words.extend(values.iter().flat_map(|value| ["--set-json", value]));
    let output = helm(&words);
    if output.status.success() {
        Ok(objects(&String::from_utf8(output.stdout).unwrap()))
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

/// In the order of their kinds and names, with the conflist as JSON and without its hash, both of
/// which depend on how the JSON is written.
fn comparable(mut objects: Vec<Value>) -> Vec<Value> {
    let (_, text) = conflist(&objects);
    assert_eq!(conflist_hash(&objects), sha256(&text));
    for object in &mut objects {
        if kind(object) == "ConfigMap" {
            object["data"]["10-flatland.conflist"] = serde_json::from_str(&text).unwrap();
        }
        if let Some(annotations) = object.pointer_mut("/spec/template/metadata/annotations") {
            *annotations = json!({});
        }
        // kustomize puts a container that it adds before the others.
        if let Some(Value::Array(all)) = object.pointer_mut("/spec/template/spec/containers") {
            all.sort_by_key(|it| it["name"] != "routed");
        }
    }
    objects.retain(|object| kind(object) != "Namespace");
    objects.sort_by_key(|object| format!("{} {}", kind(object), object["metadata"]["name"]));
    objects
}

#[test]
fn chart_renders_the_manifests() {
    for (manifest, values) in [
        ("kubernetes/flatland.yaml", &[][..]),
        ("kubernetes/flatland-etcd.yaml", &ETCD),
    ] {
        let rendered = render(values).unwrap();
        assert_eq!(
            comparable(rendered),
            comparable(file(manifest)),
            "{manifest}"
        );
    }
}

#[test]
fn chart_with_network_policies_renders_the_overlay() {
    let mut overlay = build("overlays/network-policy");
    // kustomize names the ConfigMap after its content, which makes a hash needless.
    let (name, text) = conflist(&overlay);
    for object in &mut overlay {
        let written = object.to_string().replace(&name, "flatland");
        *object = serde_json::from_str(&written).unwrap();
        if let Some(metadata) = object.pointer_mut("/spec/template/metadata") {
            metadata["annotations"] = json!({ "flatland/conflist-sha256": sha256(&text) });
        }
    }
    let rendered = render(&["networkPolicy.enabled=true"]).unwrap();
    let (rendered, overlay) = (comparable(rendered), comparable(overlay));
    assert_eq!(rendered.len(), overlay.len());
    for (ours, expected) in rendered.into_iter().zip(overlay) {
        assert_eq!(ours, expected);
    }
}

#[test]
fn network_policies_with_an_etcd_have_a_token_and_rights() {
    let with_policies = [&ETCD[..], &["networkPolicy.enabled=true"]].concat();
    let rendered = render(&with_policies).unwrap();
    let token = of_pod(&rendered, "/spec/automountServiceAccountToken");
    assert_eq!(token, &json!(true));
    let roles = rendered.iter().filter(|it| kind(it) == "ClusterRole");
    let names: Vec<_> = roles.map(|it| &it["metadata"]["name"]).collect();
    assert_eq!(names, ["flatland-policy"]);
}

#[test]
fn chart_passes_lint_and_has_the_version_of_the_workspace() {
    let output = helm(&["lint", "--strict", conf(CHART).to_str().unwrap()]);
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{printed}");
    assert!(
        !printed.contains("[WARNING]") && !printed.contains("[ERROR]"),
        "{printed}"
    );
    let chart = &file("helm/flatland/Chart.yaml")[0];
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        [&chart["version"], &chart["appVersion"]],
        [version, version]
    );
}

/// What is at `path` of the DaemonSet's pod template.
fn of_pod<'a>(objects: &'a [Value], path: &str) -> &'a Value {
    let set = objects.iter().find(|it| kind(it) == "DaemonSet").unwrap();
    let missing = &Value::Null;
    set.pointer(&format!("/spec/template{path}"))
        .unwrap_or(missing)
}

#[test]
fn values_change_what_their_descriptions_say() {
    for (value, path, expected) in [
        (
            "image.tag=\"x\"",
            "/spec/containers/0/image",
            json!("localhost/flatland:x"),
        ),
        (
            "image.repository=\"r/f\"",
            "/spec/initContainers/0/image",
            { json!(format!("r/f:{}", env!("CARGO_PKG_VERSION"))) },
        ),
        (
            "image.pullPolicy=\"Always\"",
            "/spec/containers/0/imagePullPolicy",
            json!("Always"),
        ),
        (
            "imagePullSecrets=[{\"name\":\"s\"}]",
            "/spec/imagePullSecrets/0/name",
            json!("s"),
        ),
        (
            "logFormat=\"json\"",
            "/spec/containers/0/command/3",
            json!("--log-format=json"),
        ),
        (
            "logFormat=\"text\"",
            "/spec/containers/0/command/3",
            Value::Null,
        ),
        (
            "resources.limits=null",
            "/spec/containers/0/resources/limits",
            Value::Null,
        ),
        (
            "podAnnotations={\"a/b\":\"c\"}",
            "/metadata/annotations/a~1b",
            json!("c"),
        ),
        ("tolerations=[]", "/spec/tolerations", json!([])),
        (
            "nodeSelector={\"a\":\"b\"}",
            "/spec/nodeSelector/a",
            json!("b"),
        ),
        (
            "folders.plugins=\"/p\"",
            "/spec/volumes/1/hostPath/path",
            json!("/p"),
        ),
        (
            "folders.conflists=\"/c\"",
            "/spec/volumes/2/hostPath/path",
            json!("/c"),
        ),
    ] {
        let rendered = render(&[value]).unwrap_or_else(|error| panic!("{value}: {error}"));
        assert_eq!(of_pod(&rendered, path), &expected, "{value}");
    }
    let rendered = render(&["maxUnavailable=3"]).unwrap();
    let set = rendered.iter().find(|it| kind(it) == "DaemonSet").unwrap();
    assert_eq!(
        set["spec"]["updateStrategy"]["rollingUpdate"]["maxUnavailable"],
        3
    );
}

#[test]
fn values_of_the_conflist_are_in_it() {
    let in_etcd = |more: &'static str| [&ETCD[..], &[more]].concat();
    for (values, path, expected) in [
        (
            vec!["apiServer=\"https://10.0.0.1:6443\""],
            "/plugins/0/ipam/kubernetes/apiServer",
            { json!("https://10.0.0.1:6443") },
        ),
        (
            vec!["podCIDRs=[\"10.1.0.0/16\"]"],
            "/plugins/0/ipam/podCIDRs/0",
            json!("10.1.0.0/16"),
        ),
        (vec!["plugin.mtu=1400"], "/plugins/0/mtu", json!(1400)),
        (
            vec![
                "networkPolicy.enabled=true",
                "networkPolicy.failOpenAfter=\"30s\"",
            ],
            "/plugins/0/policy/failOpenAfter",
            json!("30s"),
        ),
        (
            vec!["networkPolicy.failOpenAfter=\"30s\""],
            "/plugins/0/policy",
            Value::Null,
        ),
        (
            vec!["ipam.coolDown=\"5s\""],
            "/plugins/0/ipam/coolDown",
            json!("5s"),
        ),
        (
            vec!["chainedPlugins=[{\"type\":\"tuning\"}]"],
            "/plugins/1/type",
            json!("tuning"),
        ),
        (
            in_etcd("etcd.prefix=\"/f\""),
            "/plugins/0/ipam/etcd/prefix",
            json!("/f"),
        ),
        (
            in_etcd("etcd.endpoints=[\"http://h:1\"]"),
            "/plugins/0/ipam/etcd/caFile",
            Value::Null,
        ),
    ] {
        let rendered = render(&values).unwrap_or_else(|error| panic!("{values:?}: {error}"));
        let (_, text) = conflist(&rendered);
        Conflist::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{values:?}: {error}"));
        let json: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            json.pointer(path).unwrap_or(&Value::Null),
            &expected,
            "{values:?}"
        );
        assert_eq!(conflist_hash(&rendered), sha256(&text), "{values:?}");
    }
}

#[test]
fn wrong_values_are_refused() {
    for (values, complaint) in [
        (&["registri=\"etcd\""][..], "'registri' not allowed"),
        (&["registry=\"consul\""], "/registry"),
        (
            &["registry=\"etcd\"", "podCIDRs=[\"10.244.0.0/16\"]"],
            "/etcd/endpoints",
        ),
        (
            &["registry=\"etcd\"", "etcd.endpoints=[\"http://h:1\"]"],
            "/podCIDRs",
        ),
        (&["apiServer=\"10.0.0.1\""], "/apiServer"),
        (&["logFormat=\"yaml\""], "/logFormat"),
        (&["folders.plugins=\"opt\""], "/folders/plugins"),
        (&["networkPolicy.enabled=\"yes\""], "/networkPolicy/enabled"),
        (&["image.tagg=\"x\""], "'tagg' not allowed"),
    ] {
        let error = render(values).expect_err(complaint);
        assert!(error.contains(complaint), "{values:?}: {error}");
    }
}

#[test]
fn policies_name_the_account_of_the_release() {
    let chart = conf(CHART);
    let words = [
        "template",
        "x",
        chart.to_str().unwrap(),
        "--namespace",
        "other",
    ];
    let rendered = String::from_utf8(helm(&words).stdout).unwrap();
    assert_eq!(
        rendered
            .matches("'system:serviceaccount:other:routed'")
            .count(),
        2
    );
    assert!(!rendered.contains("namespace: flatland"), "{rendered}");
}

/// The defaults of a value and, for an object with known keys, of each key.
fn defaults(schema: &Value) -> Value {
    match (&schema["default"], &schema["properties"]) {
        (Value::Null, Value::Object(keys)) => keys
            .iter()
            .map(|(key, value)| (key.clone(), defaults(value)))
            .collect(),
        (default, _) => default.clone(),
    }
}

#[test]
fn schema_has_the_defaults_of_the_values() {
    let text = std::fs::read_to_string(conf("helm/flatland/values.schema.json")).unwrap();
    let mut expected = defaults(&serde_json::from_str(&text).unwrap());
    // Helm passes it to charts within charts.
    expected.as_object_mut().unwrap().remove("global");
    assert_eq!(file("helm/flatland/values.yaml")[0], expected);
}
