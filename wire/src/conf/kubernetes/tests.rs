use super::*;

use serde_json::json;

#[test]
fn api_server_is_a_host_and_a_port() {
    for (url, expected) in [
        ("https://10.0.0.1:6443", "10.0.0.1:6443"),
        ("https://api.example.com", "api.example.com:443"),
        ("https://api.example.com/", "api.example.com:443"),
        ("https://[fd00::1]:6443", "[fd00::1]:6443"),
        ("https://[fd00::1]", "[fd00::1]:443"),
    ] {
        let parsed = KubernetesConfig::parse(&json!({ "apiServer": url }), true).unwrap();
        assert_eq!(parsed.api_server.as_deref(), Some(expected), "{url}");
    }
}

#[test]
fn wrong_section_is_refused_by_name() {
    for (section, expected) in [
        (
            json!({ "apiServer": "http://10.0.0.1:6443" }),
            "is no https URL",
        ),
        (
            json!({ "apiServer": "https://10.0.0.1:0" }),
            "is no https://HOST:PORT",
        ),
        (
            json!({ "apiServer": "https://a/b:6443" }),
            "is no https://HOST:PORT",
        ),
        (
            json!({ "apiServer": "https://fd00::1:6443" }),
            "is no https://HOST:PORT",
        ),
        (
            json!({ "apiServer": "https://[fd00]:6443" }),
            "is no https://HOST:PORT",
        ),
        (
            json!({ "apiServer": "https://:6443" }),
            "is no https://HOST:PORT",
        ),
        (
            json!({ "apiServer": "https://10.0.0.1:99999" }),
            "is no https://HOST:PORT",
        ),
        (
            json!({ "apiserver": "https://10.0.0.1" }),
            "unknown key ipam.kubernetes.apiserver",
        ),
        (json!([]), "ipam.kubernetes is not a JSON object"),
    ] {
        let error = KubernetesConfig::parse(&section, true).unwrap_err();
        assert!(error.msg.contains(expected), "{section}: {}", error.msg);
    }
}
