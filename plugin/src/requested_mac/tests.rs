use serde_json::json;
use wire::cni::{Args, CniCommand, Environment};

use super::*;

fn requested(config: &Value, args: &str) -> Result<Option<String>, Error> {
    let mut config = config.clone();
    config["name"] = "net".into();
    config["cniVersion"] = "1.1.0".into();
    let environment = Environment {
        command: CniCommand::Status,
        attachment: None,
        netns: None,
        args: Args::parse(args).unwrap(),
        path: Vec::new(),
    };
    let call = Call::new(environment, config.to_string().into_bytes()).unwrap();
    Ok(mac(&call)?.map(|mac| mac.to_string()))
}

#[test]
fn first_place_with_a_mac_counts() {
    let runtime = json!({"mac": "02:00:00:00:00:01"});
    let args = json!({"cni": {"mac": "02:00:00:00:00:02"}});
    let argument = "MAC=02:00:00:00:00:03";
    for (config, arguments, expected) in [
        (json!({}), "", None),
        (json!({"runtimeConfig": {"mac": ""}}), "MAC=", None),
        (json!({}), argument, Some("02:00:00:00:00:03")),
        (json!({"args": args}), argument, Some("02:00:00:00:00:02")),
        (
            json!({"args": args, "runtimeConfig": runtime}),
            argument,
            Some("02:00:00:00:00:01"),
        ),
    ] {
        assert_eq!(
            requested(&config, arguments).unwrap().as_deref(),
            expected,
            "{config}"
        );
    }
}

#[test]
fn invalid_mac_request_is_refused_and_named() {
    for (config, arguments, code, culprit) in [
        (
            json!({"runtimeConfig": {"mac": "nonsense"}}),
            "",
            7,
            "runtimeConfig.mac: \"nonsense\"",
        ),
        (
            json!({"args": {"cni": {"mac": 7}}}),
            "",
            7,
            "args.cni.mac: 7 is not a string",
        ),
        (
            json!({}),
            "MAC=01:00:5e:00:00:01",
            4,
            "MAC of CNI_ARGS: 01:00:5e:00:00:01",
        ),
        (
            json!({}),
            "MAC=00:00:00:00:00:00",
            4,
            "00:00:00:00:00:00 is no interface's",
        ),
    ] {
        let error = requested(&config, arguments).unwrap_err();
        assert_eq!(error.code, code, "{error}");
        assert!(error.msg.contains(culprit), "{error}");
    }
}
