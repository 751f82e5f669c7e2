//! Conflists as administrators write them, and the copy that is installed on a node.

use serde_json::json;

use super::*;
use std::fs;

const FILE: &str = r#"{
  "cniVersion": "1.1.0",
  "name": "flatland",
  "zebra": {"b": 1, "a": [1.5, 10000000000, "\u00e4"]},
  "plugins": [
    {
      "type": "flatland",
      "mtu": 1400,
      "ipam": {
        "type": "flatland-ipam",
        "podCIDRs": ["10.244.0.0/16"],
        "etcd": {"endpoints": ["https://10.0.0.1:2379"]}
      },
      "ipMasq": true,
      "policy": {"failOpenAfter": "30s"}
    },
    {"type": "portmap", "capabilities": {"portMappings": true}, "snat": true}
  ]
}"#;

/// The valid file with the value at `pointer` replaced; `"-"` removes it from its object.
fn with(pointer: &str, value: Value) -> Vec<u8> {
    let mut json: Value = serde_json::from_str(FILE).unwrap();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    match json.pointer_mut(parent).unwrap() {
        Value::Object(fields) if value == "-" => drop(fields.shift_remove(key)),
        Value::Object(fields) => drop(fields.insert(key.to_owned(), value)),
        Value::Array(items) => items[key.parse::<usize>().unwrap()] = value,
        other => panic!("{other} has no {key}"),
    }
    json.to_string().into_bytes()
}

fn node(name: &str) -> NodeName {
    NodeName::new(name).unwrap()
}

#[test]
fn conflist_name_applies_to_both_sections() {
    let conflist = Conflist::parse(FILE.as_bytes()).unwrap();
    assert_eq!(conflist.network(), "flatland");
    assert_eq!(conflist.ipam().network, "flatland");
    assert_eq!(conflist.ipam().subnet_lengths, [24]);
    assert!(conflist.plugin().ip_masq);
    assert_eq!(conflist.plugin().mtu, 1400);
}

#[test]
fn installed_copy_differs_only_in_the_node() {
    let addresses = ["192.168.1.20".parse().unwrap(), "fd99::20".parse().unwrap()];
    let copy = Conflist::parse(FILE.as_bytes())
        .unwrap()
        .with_node(&node("n1"), &addresses);
    let expected = FILE
        .replace(
            r#"{"endpoints": ["https://10.0.0.1:2379"]}"#,
            r#"{"endpoints": ["https://10.0.0.1:2379"]}, "nodeName": "n1""#,
        )
        .replace(
            r#"{"failOpenAfter": "30s"}"#,
            r#"{"failOpenAfter": "30s"}, "nodeAddresses": ["192.168.1.20", "fd99::20"]"#,
        );
    let expected: Value = serde_json::from_str(&expected).unwrap();
    // Compared as text, to include the order of keys.
    assert_eq!(copy, format!("{expected:#}\n"));
}

#[test]
fn installed_copy_can_be_installed_again_unchanged() {
    let addresses = ["192.168.1.20".parse().unwrap()];
    let conflist = Conflist::parse(FILE.as_bytes()).unwrap();
    let copy = conflist.with_node(&node("n1"), &addresses);
    assert_eq!(conflist.with_node(&node("n1"), &addresses), copy);

    let again = Conflist::parse(copy.as_bytes()).unwrap();
    assert_eq!(again.ipam().node_name.as_deref(), Some("n1"));
    assert_eq!(again.plugin().node_addresses, addresses);
    assert_eq!(again.with_node(&node("n1"), &addresses), copy);
    let moved = again.with_node(&node("n2"), &[]);
    assert_eq!(moved, conflist.with_node(&node("n2"), &[]));
}

#[test]
fn left_out_plugins_are_gone_and_ours_stays() {
    let chain = |types: &[&str]| {
        let entries = types.iter().map(|kind| {
            let mut entry = json!({ "type": kind });
            if *kind == "flatland" {
                entry["ipam"] = json!({ "type": "flatland-ipam", "podCIDRs": ["10.244.0.0/16"] });
            }
            entry
        });
        with("/plugins", entries.collect())
    };
    for (types, left_out, expected) in [
        (&["flatland", "portmap"][..], &["portmap"][..], &[][..]),
        (&["x", "flatland", "y"], &["x"], &["y"]),
        (&["x", "flatland", "y"], &["z", "flatland"], &["x", "y"]),
        (&["x", "x", "flatland"], &["x"], &[]),
    ] {
        let conflist = Conflist::parse(&chain(types)).unwrap();
        let left = conflist.without_plugins(left_out);
        assert_eq!(left.others().collect::<Vec<_>>(), expected, "{types:?}");
        let installed = left.with_node(&node("n1"), &[]);
        let installed = Conflist::parse(installed.as_bytes()).unwrap();
        assert_eq!(installed.ipam().node_name.as_deref(), Some("n1"));
    }
}

#[test]
fn removed_versions_are_gone_and_cni_version_stays() {
    let file = json!({
        "cniVersion": "1.0.0",
        "cniVersions": ["0.4.0", "1.0.0", "1.1.0"],
        "name": "flatland",
        "plugins": [
            { "type": "first" },
            { "type": "flatland", "ipam": { "type": "flatland-ipam", "podCIDRs": ["10.244.0.0/16"] } },
            { "type": "portmap" },
        ],
    });
    let conflist = Conflist::parse(file.to_string().as_bytes()).unwrap();
    assert_eq!(conflist.others().collect::<Vec<_>>(), ["first", "portmap"]);
    let (oldest, basic, newest) = (CniVersion::V0_4_0, CniVersion::V1_0_0, CniVersion::V1_1_0);
    assert_eq!(conflist.versions(), [basic, oldest, basic, newest]);

    let without = |versions: &[CniVersion]| {
        let conflist = conflist.clone();
        conflist.without_versions(&versions.iter().copied().collect())
    };
    let cut = without(&[basic, newest]);
    assert_eq!(cut.versions(), [basic, oldest, basic]);
    let copy = cut.with_node(&node("n1"), &[]);
    let copy: Value = serde_json::from_str(&copy).unwrap();
    assert_eq!(copy["cniVersions"], json!(["0.4.0", "1.0.0"]));
    assert_eq!(
        without(&[]).with_node(&node("n1"), &[]),
        conflist.with_node(&node("n1"), &[])
    );
}

#[test]
fn invalid_conflist_error_names_the_culprit() {
    let entry = json!({"type": "flatland", "ipam": {"type": "flatland-ipam"}});
    let cases = [
        (with("/cniVersion", json!("-")), 1, "cniVersion is missing"),
        (with("/cniVersion", json!("0.2.0")), 1, "0.2.0"),
        (with("/cniVersions", json!(["1.0.0", "7.0.0"])), 1, "7.0.0"),
        (with("/name", json!("-")), 7, "\"name\""),
        (with("/name", json!("a b")), 7, "a b"),
        (with("/plugins", json!("-")), 7, "no list \"plugins\""),
        (with("/plugins", json!({})), 7, "no list \"plugins\""),
        (
            with("/plugins", json!([])),
            7,
            "no plugin of type \"flatland\"",
        ),
        (
            with("/plugins/0/type", json!("bridge")),
            7,
            "no plugin of type \"flatland\"",
        ),
        (
            with("/plugins/1", entry),
            7,
            "two plugins of type \"flatland\"",
        ),
        (with("/plugins/0/ipam", json!("-")), 7, "ipam is missing"),
        (
            with("/plugins/0/ipam/type", json!("-")),
            7,
            "type is missing in ipam",
        ),
        (
            with("/plugins/0/ipam/type", json!("host-local")),
            7,
            "host-local",
        ),
        (with("/plugins/0/mut", json!(1400)), 2, "mut"),
        (
            with("/plugins/0/ipam/podCIDR", json!([])),
            2,
            "ipam.podCIDR",
        ),
        (
            with("/plugins/0/ipam/etcd/ca", json!("")),
            2,
            "ipam.etcd.ca",
        ),
        (
            with("/plugins/0/ipam/podCIDRs/0", json!("10.244.0.1/16")),
            7,
            "10.244.0.1/16",
        ),
        (b"[]".to_vec(), 6, "not a JSON object"),
        (b"{\n  \"name\" 1}".to_vec(), 6, "line 2 column 10"),
        (b"".to_vec(), 6, "line 1 column 0"),
    ];
    for (text, code, culprit) in cases {
        let error = Conflist::parse(&text).expect_err(culprit);
        assert_eq!(error.code, code, "{error}");
        assert!(error.to_string().contains(culprit), "{error}");
    }
}

#[test]
fn cni_versions_must_all_be_supported() {
    let text = with("/cniVersions", json!(["0.3.1", "0.4.0", "1.0.0", "1.1.0"]));
    assert!(Conflist::parse(&text).is_ok());
}

#[test]
fn keys_of_list_and_other_plugins_are_not_checked() {
    for pointer in ["/plugins/1/whatever", "/whatever"] {
        assert!(Conflist::parse(&with(pointer, json!(1))).is_ok());
    }
}

#[test]
fn conflist_file_errors_start_with_the_path() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("10-flatland.conflist");
    let error = Conflist::read(&path).unwrap_err();
    assert_eq!(error.code, code::IO);
    assert!(
        error
            .msg
            .starts_with(&format!("{}: cannot be read", path.display())),
        "{error}"
    );

    fs::write(&path, "{").unwrap();
    let error = Conflist::read(&path).unwrap_err();
    assert_eq!(error.code, code::DECODING);
    assert!(error.msg.starts_with(path.to_str().unwrap()), "{error}");

    fs::write(&path, FILE).unwrap();
    assert_eq!(Conflist::read(&path).unwrap().network(), "flatland");
}
