//! Every verb in every version of the spec, with results of every version.

use lab::{Lab, Pod, Result, Runtime};
use serde_json::{Value, json};
use wire::cni::{CniVersion, Success};

use crate::support::{host_local, lab, with_ipam};

/// Calls our plugin, the first of the chain, and returns what it printed.
fn call(runtime: &Runtime<'_>, verb: &str, pod: &Pod<'_>, previous: &Value) -> Result<Value> {
    let plugin = runtime.plugins().next().expect("a conflist has a plugin");
    let output = runtime.call(verb, plugin, pod.target(), previous)?;
    let printed = output.success()?;
    Ok(serde_json::from_str(&printed).unwrap_or_default())
}

/// Checks the keys of a result that exist only from or only up to that version.
fn assert_shape(result: &Value, version: CniVersion) {
    assert_eq!(result["cniVersion"], version.as_str());
    for ip in result["ips"].as_array().into_iter().flatten() {
        let v4 = ip["address"].as_str().is_some_and(|it| it.contains('.'));
        let family = if v4 { "4" } else { "6" };
        let expected = (version < CniVersion::V1_0_0).then(|| json!(family));
        assert_eq!(ip.get("version"), expected.as_ref(), "{result}");
        assert_eq!(ip["interface"], 1, "{result}");
    }
    for interface in result["interfaces"].as_array().into_iter().flatten() {
        let mtu = (version >= CniVersion::V1_1_0).then(|| json!(1500));
        assert_eq!(interface.get("mtu"), mtu.as_ref(), "{result}");
    }
    let count = |list: &str| result[list].as_array().map_or(0, Vec::len);
    assert_eq!((count("interfaces"), count("ips")), (2, 2), "{result}");
}

#[test]
fn verbs_of_every_version_accept_results_of_any_version() -> Result {
    let lab = lab()?;
    let node = lab.node(1);
    let pod = node.sandbox("a")?;
    let before = {
        node.add_pod("first")?.delete()?;
        node.attachment_state()?
    };
    for version in CniVersion::ALL {
        let runtime = Runtime::of(node)?.with_version(version);
        for shape in CniVersion::ALL.map(Some).into_iter().chain([None]) {
            let made = call(&runtime, "ADD", &pod, &Value::Null)?;
            assert_shape(&made, version);
            let result = Success::parse(&made, version).expect("ADD printed a result");
            let previous = shape.map_or(Value::Null, |shape| result.render(shape));

            let checked = call(&runtime, "CHECK", &pod, &previous);
            let case = format!("{version} with a result of {shape:?}: {checked:?}");
            if version < CniVersion::V0_4_0 {
                let error = checked.unwrap_err().to_string();
                assert!(error.contains("\"code\":1,"), "{case}");
            } else if shape.is_none() {
                let error = checked.unwrap_err().to_string();
                assert!(error.contains("\"code\":7,"), "{case}");
                assert!(error.contains("no prevResult"), "{case}");
            } else {
                assert!(checked.is_ok(), "{case}");
            }

            for _ in 0..2 {
                call(&runtime, "DEL", &pod, &previous)?;
                assert_eq!(node.attachment_state()?, before, "{case}");
            }
        }
    }
    Ok(())
}

/// IPAM plugins, the newest version that each supports, and the masks and gateways of their `ips`.
fn ipams(lab: &Lab) -> [(Value, CniVersion, Value); 4] {
    let addresses = |gateway: Option<&str>| {
        let mut v4 = json!({ "address": "10.9.0.5/24" });
        if let Some(gateway) = gateway {
            v4["gateway"] = json!(gateway);
        }
        json!({ "type": "static", "addresses": [v4, { "address": "fd00:9::5/64" }] })
    };
    let (old, masks) = (CniVersion::V1_0_0, json!([["24", null], ["64", null]]));
    [
        (
            lab.conflist()["plugins"][0]["ipam"].clone(),
            CniVersion::LATEST,
            json!([["24", "169.254.1.1"], ["80", "fe80::1"]]),
        ),
        (host_local(), old, json!([["24", "10.9.0.1"]])),
        (addresses(None), old, masks),
        // Its CHECK requires its own gateway, which the pod does not have from 1.0.0 on.
        (
            addresses(Some("10.9.0.1")),
            CniVersion::V0_4_0,
            json!([["24", "10.9.0.1"], ["64", null]]),
        ),
    ]
}

/// The masks and gateways of a result's `ips`.
fn masks(result: &Value) -> Value {
    let ips = result["ips"].as_array().into_iter().flatten();
    let masks = ips.map(|ip| {
        let address = ip["address"].as_str().unwrap_or_default();
        let (_, mask) = address.split_once('/').unwrap_or_default();
        json!([mask, ip["gateway"]])
    });
    masks.collect()
}

#[test]
fn ips_before_1_0_0_are_the_ipam_plugins_and_pass_check() -> Result {
    let lab = lab()?;
    let node = lab.node(1);
    node.install_plugins(&["host-local", "static"])?;
    for (ipam, newest, given) in ipams(&lab) {
        let known = || CniVersion::ALL.into_iter().filter(|it| *it <= newest);
        for version in known() {
            let runtime =
                |version| Ok::<_, lab::Error>(with_ipam(&lab, &ipam)?.with_version(version));
            let pod = node.sandbox("a")?;
            let made = call(&runtime(version)?, "ADD", &pod, &Value::Null)?;
            let masks = masks(&made);
            if version < CniVersion::V1_0_0 {
                assert_eq!(masks, given, "{ipam} {version}");
            } else {
                let single = [["32", "169.254.1.1"], ["128", "fe80::1"]];
                let single = given.as_array().map(|given| &single[..given.len()]);
                assert_eq!(masks, json!(single), "{ipam} {version}");
            }
            let result = Success::parse(&made, version).expect("ADD printed a result");
            for later in known().filter(|it| *it >= CniVersion::V0_4_0) {
                let converted = result.render(later);
                call(&runtime(later)?, "CHECK", &pod, &converted)
                    .map_err(|error| error.doing(format!("{ipam}, {version} as {later}")))?;
            }
            call(&runtime(version)?, "DEL", &pod, &made)?;
            pod.delete_netns()?;
        }
    }
    Ok(())
}

#[test]
fn prev_result_of_any_version_is_in_the_result() -> Result {
    let lab = lab()?;
    let node = lab.node(1);
    let earlier = json!({
        "interfaces": [{ "name": "net0", "sandbox": "/run/netns/a" }],
        "ips": [{ "address": "10.99.0.2/24", "interface": 0 }],
    });
    let earlier = Success::parse(&earlier, CniVersion::LATEST).expect("this is a result");
    for version in CniVersion::ALL {
        let runtime = Runtime::of(node)?.with_version(version);
        for shape in CniVersion::ALL {
            let pod = node.sandbox("a")?;
            let made = call(&runtime, "ADD", &pod, &earlier.render(shape))?;
            assert_eq!(made["cniVersion"], version.as_str());
            let all = Success::parse(&made, version).expect("ADD printed a result");
            assert_eq!(all.interfaces[..1], earlier.interfaces, "{version} {shape}");
            assert_eq!(all.ips[..1], earlier.ips, "{version} {shape}");
            assert_eq!(all.ips[1].interface, Some(2), "{version} {shape}");
            if version >= CniVersion::V0_4_0 {
                call(&runtime, "CHECK", &pod, &made)?;
            }
            call(&runtime, "DEL", &pod, &made)?;
            pod.delete_netns()?;
        }
    }
    Ok(())
}

#[test]
fn gc_and_status_before_1_1_0_are_refused() -> Result {
    let lab = lab()?;
    let node = lab.node(1);
    let pod = node.add_pod("a")?;
    for version in CniVersion::ALL {
        let runtime = || Ok::<_, lab::Error>(Runtime::of(node)?.with_version(version));
        for outcome in [runtime()?.status(), runtime()?.gc(&[pod.target()])] {
            if version >= CniVersion::V1_1_0 {
                outcome?;
            } else {
                let error = outcome.unwrap_err().to_string();
                assert!(error.contains("\"code\":1,"), "{version}: {error}");
                assert!(error.contains("it came with 1.1.0"), "{version}: {error}");
            }
        }
    }
    pod.check()
}
