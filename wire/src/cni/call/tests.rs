use super::*;

#[test]
fn additional_valid_attachments_reach_the_delegate() {
    let environment = |name: &str| match name {
        "CNI_COMMAND" => Some("GC".into()),
        "CNI_PATH" => Some("/opt/cni/bin".into()),
        _ => None,
    };
    let environment = Environment::read(environment).unwrap();
    for lists in [
        json!({ VALID_ATTACHMENTS: [] }),
        json!({ VALID_ATTACHMENTS: null }),
        json!({ ATTACHMENTS: [] }),
        json!({ VALID_ATTACHMENTS: null, ATTACHMENTS: null }),
    ] {
        let mut config = lists.clone();
        config["cniVersion"] = "1.1.0".into();
        config["name"] = "n".into();
        let input = config.to_string().into_bytes();
        let call = Call::new(environment.clone(), input).unwrap();
        let more = Attachment::new("a", "eth0").unwrap();
        let extended = call.with_more_valid(std::slice::from_ref(&more));
        let expected = BTreeSet::from([more]);
        assert_eq!(extended.valid_attachments().unwrap(), expected, "{lists}");
        let passed_on = decode(&extended.stdin).unwrap();
        assert_eq!(valid_attachments(&passed_on).unwrap(), expected, "{lists}");
        for key in lists.as_object().unwrap().keys() {
            assert_eq!(passed_on[key].as_array().unwrap().len(), 1, "{lists}");
        }
        assert_eq!(call.with_more_valid(&[]).stdin, call.stdin);
    }
}

#[test]
fn invalid_entry_makes_valid_attachments_an_error() {
    let a = json!({"containerID": "a", "ifname": "eth0"});
    let b = json!({"containerID": "b", "ifname": "eth0", "other": 1});
    let valid = valid_attachments(&json!({VALID_ATTACHMENTS: [a, b]})).unwrap();
    let expected = ["a", "b"].map(|id| Attachment::new(id, "eth0").unwrap());
    assert_eq!(valid, BTreeSet::from(expected));
    let two = valid_attachments(&json!({VALID_ATTACHMENTS: [a], ATTACHMENTS: [b]})).unwrap();
    assert_eq!(two, valid, "both names of the key count");
    for empty in [
        json!({VALID_ATTACHMENTS: []}),
        json!({VALID_ATTACHMENTS: null}),
        json!({ATTACHMENTS: null}),
        json!({VALID_ATTACHMENTS: null, ATTACHMENTS: []}),
    ] {
        assert_eq!(
            valid_attachments(&empty).unwrap(),
            BTreeSet::new(),
            "{empty}"
        );
    }
    for (config, culprit) in [
        (json!({}), "is missing"),
        (json!({VALID_ATTACHMENTS: {}}), "is not a list"),
        (
            json!({VALID_ATTACHMENTS: [], ATTACHMENTS: 7}),
            "cni.dev/attachments is not a list",
        ),
        (
            json!({VALID_ATTACHMENTS: [null]}),
            "lacks containerID or ifname",
        ),
        (
            json!({VALID_ATTACHMENTS: [a, {"containerID": "b"}]}),
            "lacks containerID or ifname",
        ),
        (
            json!({VALID_ATTACHMENTS: [a, {"containerID": "../b", "ifname": "eth0"}]}),
            "../b",
        ),
    ] {
        let error = valid_attachments(&config).unwrap_err();
        assert!(error.msg.contains(culprit), "{error}");
    }
}
