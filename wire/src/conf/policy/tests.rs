//! Valid and invalid `policy` sections.

use serde_json::json;

use super::*;
use crate::cni::code;

#[test]
fn time_is_read_and_its_default_is_never() {
    let seconds = |seconds| Some(Duration::from_secs(seconds));
    for (section, expected) in [
        (json!({}), None),
        (json!({"failOpenAfter": "30s"}), seconds(30)),
        (json!({"failOpenAfter": 1}), seconds(1)),
        (json!({"failOpenAfter": "1d"}), seconds(86_400)),
    ] {
        let policy = PolicyConfig::parse(&section).unwrap();
        assert_eq!(policy.fail_open_after, expected, "{section}");
    }
}

#[test]
fn invalid_section_is_refused_and_named() {
    let invalid = code::INVALID_CONFIG;
    let time = "is not a time from \"1s\" to \"1d\"";
    for (section, code, message) in [
        (json!(null), invalid, "policy is not a JSON object"),
        (json!(true), invalid, "policy is not a JSON object"),
        (json!([]), invalid, "policy is not a JSON object"),
        (json!({"failOpenAfter": 0}), invalid, time),
        (json!({"failOpenAfter": "25h"}), invalid, time),
        (json!({"failOpenAfter": "never"}), invalid, time),
        (json!({"failOpenAfter": null}), invalid, time),
        (
            json!({"failopen": "1s"}),
            code::UNSUPPORTED_FIELD,
            "unknown key policy.failopen",
        ),
    ] {
        let error = PolicyConfig::parse(&section).unwrap_err();
        assert_eq!(error.code, code, "{section}");
        assert!(error.msg.contains(message), "{section}: {error}");
    }
}
