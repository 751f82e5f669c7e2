//! Addresses that the caller of ADD requests by name.
//!
//! There are three places for them. The first one that is not empty counts; the others are ignored:
//!
//! 1. `runtimeConfig.ips`, which a runtime fills in for the capability `ips`,
//! 2. `args.cni.ips` of the configuration (CONVENTIONS.md of the CNI project),
//! 3. `IP` in `CNI_ARGS`, several with commas.

use std::net::IpAddr;

use ipnet::IpNet;
use ipnetwork::IpNetwork;
use serde_json::Value;
use wire::cni::{Call, Error, code};

/// The requested addresses, at most one per family of `pod_cidrs`. A prefix length is accepted and
/// ignored: the result has that of the subnet.
pub(crate) fn addresses(call: &Call, pod_cidrs: &[IpNet]) -> Result<Vec<IpAddr>, Error> {
    for pointer in ["/runtimeConfig/ips", "/args/cni/ips"] {
        let name = pointer[1..].replace('/', ".");
        let texts = listed(&name, call.config.pointer(pointer))?;
        if !texts.is_empty() {
            return check(&name, code::INVALID_CONFIG, &texts, pod_cidrs);
        }
    }
    let argument = call.environment.args.get("IP").unwrap_or_default();
    let parts = argument.split(',').map(str::trim);
    let texts: Vec<_> = parts.filter(|part| !part.is_empty()).collect();
    check(
        "IP of CNI_ARGS",
        code::INVALID_ENVIRONMENT,
        &texts,
        pod_cidrs,
    )
}

fn listed<'a>(name: &str, value: Option<&'a Value>) -> Result<Vec<&'a str>, Error> {
    let wrong = |found: &Value, expected: &str| {
        let msg = format!("{name}: {found} is not {expected}");
        Error::new(code::INVALID_CONFIG, msg)
    };
    match value {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(items)) => {
            let text = |item: &'a Value| item.as_str().ok_or_else(|| wrong(item, "a string"));
            items.iter().map(text).collect()
        }
        Some(other) => Err(wrong(other, "a list")),
    }
}

fn check(name: &str, code: u32, texts: &[&str], pod_cidrs: &[IpNet]) -> Result<Vec<IpAddr>, Error> {
    let mut addresses: Vec<IpAddr> = Vec::with_capacity(texts.len());
    for text in texts {
        let address = text
            .parse::<IpNetwork>()
            .map_err(|_| Error::new(code, format!("{name}: {text:?} is not an IP address")))?
            .ip();
        let same_family = |other: &&IpAddr| other.is_ipv4() == address.is_ipv4();
        if let Some(other) = addresses.iter().find(same_family) {
            let msg = format!("{name}: {other} and {address} are of one family");
            return Err(Error::new(code, msg).advise("ask for one address per family"));
        }
        if !pod_cidrs
            .iter()
            .any(|cidr| cidr.addr().is_ipv4() == address.is_ipv4())
        {
            let msg = format!("{name}: the network has no pod CIDR of the family of {address}");
            return Err(Error::new(code, msg).advise("leave it out"));
        }
        addresses.push(address);
    }
    Ok(addresses)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use wire::cni::{Args, Command, Environment};

    use super::*;

    fn call(config: &Value, args: &str) -> Call {
        let mut config = config.clone();
        config["name"] = "net".into();
        config["cniVersion"] = "1.1.0".into();
        let environment = Environment {
            command: Command::Status,
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
}
