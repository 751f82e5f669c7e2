use serde_json::json;
use wire::cni::{Args, CniCommand, Environment};

use super::*;

fn call(config: &Value, args: &str) -> Call {
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
    Call::new(environment, config.to_string().into_bytes()).unwrap()
}

fn requested(config: &Value, args: &str) -> Result<Vec<String>, Error> {
    let pod_cidrs = ["10.9.0.0/16", "fd00::/56"].map(|cidr| cidr.parse().unwrap());
    let addresses = addresses(&call(config, args), &pod_cidrs)?;
    Ok(addresses.iter().map(ToString::to_string).collect())
}

#[test]
fn first_place_with_addresses_counts_alone() {
    let runtime = json!({"ips": ["10.9.1.3", "fd00::3/80"]});
    let args = json!({"cni": {"ips": ["10.9.1.4/24"]}});
    for (config, arguments, expected) in [
        (json!({}), "", &[][..]),
        (json!({}), "IP=;K8S_POD_NAME=a", &[]),
        (json!({}), "IP=10.9.1.5", &["10.9.1.5"]),
        (
            json!({}),
            "IP=fd00::5, 10.9.1.5/24",
            &["fd00::5", "10.9.1.5"],
        ),
        (json!({"args": args}), "IP=10.9.1.5", &["10.9.1.4"]),
        (
            json!({"args": args, "runtimeConfig": runtime}),
            "IP=10.9.1.5",
            &["10.9.1.3", "fd00::3"],
        ),
        (
            json!({"args": {"cni": {"ips": null}}, "runtimeConfig": {"ips": []}}),
            "IP=10.9.1.5",
            &["10.9.1.5"],
        ),
    ] {
        assert_eq!(
            requested(&config, arguments).unwrap(),
            expected,
            "{config} {arguments}"
        );
    }
}

#[test]
fn invalid_address_is_refused_by_name() {
    let runtime = |ips: Value| json!({"runtimeConfig": {"ips": ips}});
    for (config, arguments, code, culprit) in [
        (
            runtime(json!("10.9.1.3")),
            "",
            7,
            "runtimeConfig.ips: \"10.9.1.3\" is not a list",
        ),
        (
            runtime(json!([1])),
            "",
            7,
            "runtimeConfig.ips: 1 is not a string",
        ),
        (
            runtime(json!(["10.9.1"])),
            "",
            7,
            "\"10.9.1\" is not an IP address",
        ),
        (
            json!({"args": {"cni": {"ips": ["10.9.1.3", "10.9.1.4"]}}}),
            "",
            7,
            "args.cni.ips: 10.9.1.3 and 10.9.1.4 are of one family",
        ),
        (
            json!({}),
            "IP=web",
            4,
            "IP of CNI_ARGS: \"web\" is not an IP address",
        ),
    ] {
        let error = requested(&config, arguments).unwrap_err();
        assert_eq!(error.code, code, "{error}");
        assert!(error.msg.contains(culprit), "{error}");
    }
    let only_v4 = ["10.9.0.0/16".parse().unwrap()];
    let error = addresses(&call(&json!({}), "IP=fd00::5"), &only_v4).unwrap_err();
    assert!(error.msg.contains("fd00::5"), "{error}");
}
