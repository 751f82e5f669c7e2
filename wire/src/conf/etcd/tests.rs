//! Valid and invalid `etcd` sections.

use std::path::Path;

use serde_json::json;

use super::*;
use crate::cni::code;

/// A valid section with `change` merged into it; `null` removes a key.
fn with(change: &Value) -> Value {
    let mut json = json!({"endpoints": ["https://10.0.0.1:2379"]});
    for (key, value) in change.as_object().unwrap() {
        json[key] = value.clone();
    }
    json.as_object_mut()
        .unwrap()
        .retain(|_, value| !value.is_null());
    json
}

#[test]
fn etcd_section_with_only_endpoints_is_valid() {
    for endpoint in [
        "https://10.0.0.1:2379",
        "http://127.0.0.1:2379",
        "https://[fd00::1]:2379",
        "https://etcd-0.example.com:443/",
    ] {
        let etcd = EtcdConfig::parse(&json!({"endpoints": [endpoint]})).unwrap();
        let expected = EtcdConfig {
            endpoints: vec![endpoint.to_owned()],
            ca_file: None,
            cert_file: None,
            key_file: None,
            prefix: "/flatland".to_owned(),
        };
        assert_eq!(etcd, expected);
    }
}

#[test]
fn every_key_is_read() {
    let etcd = EtcdConfig::parse(&json!({
        "endpoints": ["https://a:1", "https://b:2"],
        "caFile": "/pki/ca.crt",
        "certFile": "/pki/client.crt",
        "keyFile": "/pki/client.key",
        "prefix": "/clusters/one",
    }))
    .unwrap();
    assert_eq!(etcd.endpoints, ["https://a:1", "https://b:2"]);
    assert_eq!(etcd.ca_file.as_deref(), Some(Path::new("/pki/ca.crt")));
    assert_eq!(
        etcd.cert_file.as_deref(),
        Some(Path::new("/pki/client.crt"))
    );
    assert_eq!(etcd.key_file.as_deref(), Some(Path::new("/pki/client.key")));
    assert_eq!(etcd.prefix, "/clusters/one");
}

#[test]
fn invalid_etcd_values_are_refused_and_named() {
    let cases = [
        (
            json!({"endpoints": null}),
            "endpoints is missing in ipam.etcd",
        ),
        (json!({"endpoints": []}), "ipam.etcd.endpoints is empty"),
        (json!({"endpoints": "https://a:1"}), "is not a list"),
        (
            json!({"endpoints": [1]}),
            "ipam.etcd.endpoints: 1 is not a string",
        ),
        (
            json!({"endpoints": ["10.0.0.1:2379"]}),
            "\"10.0.0.1:2379\" does not start with",
        ),
        (json!({"endpoints": ["HTTPS://a:1"]}), "does not start with"),
        (json!({"endpoints": ["https://a"]}), "has no port"),
        (json!({"endpoints": ["https://a:"]}), "no valid port"),
        (json!({"endpoints": ["https://a:0"]}), "no valid port"),
        (json!({"endpoints": ["https://a:65536"]}), "no valid port"),
        (json!({"endpoints": ["https://:1"]}), "no valid host"),
        (
            json!({"endpoints": ["https://fd00::1:2379"]}),
            "no valid host",
        ),
        (
            json!({"endpoints": ["https://a:1/path"]}),
            "more than a host and a port",
        ),
        (
            json!({"endpoints": ["https://user@a:1"]}),
            "more than a host and a port",
        ),
        (
            json!({"endpoints": ["https://a:1, https://b:1"]}),
            "more than a host and a port",
        ),
        (
            json!({"caFile": "ca.crt"}),
            "ipam.etcd.caFile: \"ca.crt\" is not an absolute path",
        ),
        (json!({"caFile": ""}), "is not an absolute path"),
        (json!({"certFile": "/c"}), "keyFile is missing in ipam.etcd"),
        (json!({"keyFile": "/k"}), "certFile is missing in ipam.etcd"),
        (
            json!({"endpoints": ["https://a:1", "http://b:1"], "caFile": "/ca"}),
            "http://b:1",
        ),
        (
            json!({"endpoints": ["http://b:1"], "certFile": "/c", "keyFile": "/k"}),
            "http://b:1",
        ),
        (json!({"prefix": "flatland"}), "does not start with"),
        (json!({"prefix": ""}), "does not start with"),
        (json!({"prefix": "/"}), "ends with"),
        (json!({"prefix": "/a/"}), "ends with"),
        (json!({"prefix": "/a//b"}), "empty part"),
    ];
    for (change, culprit) in cases {
        let error = EtcdConfig::parse(&with(&change)).unwrap_err();
        assert_eq!(error.code, code::INVALID_CONFIG, "{change}");
        assert!(error.msg.contains(culprit), "{change}: {error}");
    }
    assert!(EtcdConfig::parse(&json!([])).is_err());
}

#[test]
fn unknown_key_is_code_2_with_a_suggestion() {
    let error = EtcdConfig::parse(&with(&json!({"cafile": "/ca"}))).unwrap_err();
    assert_eq!(error.code, code::UNSUPPORTED_FIELD);
    assert_eq!(error.msg, "unknown key ipam.etcd.cafile: \"/ca\"");
    assert_eq!(error.details, "did you mean \"caFile\"?");
}
