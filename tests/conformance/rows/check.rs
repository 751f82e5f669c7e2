//! Section 2, "CHECK".

use serde_json::{Value, json};

use super::{EVERY, INTERFACE, IPAM, Row};
use crate::conformance::pod::TestContainer;
use crate::conformance::spec::Spec;
use crate::conformance::testbed::Testbed;
use crate::conformance::verdict::{Judged, ensure, skip};

const CHECK: &str = "2 CHECK";

pub(super) const ROWS: &[Row] = &[
    Row::must(
        "check-after-add",
        CHECK,
        EVERY,
        "succeeds right after ADD",
        after_add,
    )
    .since(Spec::V0_4_0),
    Row::must(
        "check-silent",
        CHECK,
        EVERY,
        "prints nothing if there is no error",
        silent,
    )
    .since(Spec::V0_4_0),
    Row::must(
        "check-consults",
        CHECK,
        INTERFACE,
        "consults prevResult: finds a different address",
        consults,
    )
    .since(Spec::V0_4_0),
    Row::must(
        "check-no-prev-result",
        CHECK,
        EVERY,
        "refuses CHECK without prevResult",
        no_prev_result,
    )
    .since(Spec::V0_4_0),
    Row::must(
        "check-later-route",
        CHECK,
        INTERFACE,
        "allows a route that a later plugin has added",
        later_route,
    )
    .since(Spec::V0_4_0),
    Row::must(
        "check-later-interface",
        CHECK,
        INTERFACE,
        "allows an interface that a later plugin has added",
        later_interface,
    )
    .since(Spec::V0_4_0),
    Row::should(
        "check-interface-gone",
        CHECK,
        INTERFACE,
        "finds that the interface is gone",
        interface_gone,
    )
    .since(Spec::V0_4_0),
    Row::should(
        "check-host-gone",
        CHECK,
        INTERFACE,
        "finds that an interface of the host is gone or down",
        host_gone,
    )
    .since(Spec::V0_4_0),
    Row::should(
        "check-address-gone",
        CHECK,
        INTERFACE,
        "finds that an address is gone",
        address_gone,
    )
    .since(Spec::V0_4_0),
    Row::should(
        "check-route-gone",
        CHECK,
        INTERFACE,
        "finds that a route is gone",
        route_gone,
    )
    .since(Spec::V0_4_0),
    Row::should(
        "check-down",
        CHECK,
        INTERFACE,
        "finds that the interface is down",
        down,
    )
    .since(Spec::V0_4_0),
    Row::should(
        "check-reservation",
        CHECK,
        IPAM,
        "finds that the address is no longer reserved",
        reservation,
    )
    .since(Spec::V0_4_0),
    Row::must(
        "check-environment",
        CHECK,
        EVERY,
        "refuses CHECK without a required variable",
        environment,
    )
    .since(Spec::V0_4_0),
];

/// An attached container that passes CHECK.
fn checked<'s>(testbed: &'s Testbed<'s>) -> Judged<(TestContainer<'s>, Value)> {
    let pod = testbed.pod()?;
    let result = pod.attach()?;
    let answer = pod.check(&result)?;
    // The row `check-after-add` reports this failure; the other rows would mean nothing.
    if !answer.is_success() {
        return skip("CHECK fails right after ADD");
    }
    Ok((pod, result))
}

fn after_add(testbed: &Testbed<'_>) -> Judged {
    let versions = testbed
        .versions
        .iter()
        .filter(|version| **version >= Spec::V0_4_0);
    for version in versions {
        let pod = testbed.pod()?;
        let result = pod.call("ADD").with_version(*version).run()?.result()?;
        let answer = pod
            .call("CHECK")
            .with_version(*version)
            .after(&result)
            .run()?;
        answer.succeeds("CHECK fails right after ADD")?;
    }
    Ok(())
}

fn silent(testbed: &Testbed<'_>) -> Judged {
    let (pod, result) = checked(testbed)?;
    let answer = pod.check(&result)?;
    ensure(answer.stdout.trim().is_empty(), || {
        answer.with_evidence("CHECK succeeds and prints something")
    })
}

fn consults(testbed: &Testbed<'_>) -> Judged {
    let (pod, mut result) = checked(testbed)?;
    for ip in result["ips"].as_array_mut().into_iter().flatten() {
        let other = match ip["address"].as_str() {
            Some(text) if text.contains(':') => "fd00:77::9/64",
            _ => "10.77.0.9/24",
        };
        ip["address"] = json!(other);
    }
    pod.check(&result)?
        .fails("the addresses of prevResult differ from the container's, and CHECK succeeds")
}

fn no_prev_result(testbed: &Testbed<'_>) -> Judged {
    let (pod, _) = checked(testbed)?;
    let call = pod.call("CHECK").edit(|config| {
        config
            .as_object_mut()
            .map(|config| config.remove("prevResult"));
    });
    call.run()?.fails("CHECK succeeds without prevResult")
}

fn later_route(testbed: &Testbed<'_>) -> Judged {
    let (pod, mut result) = checked(testbed)?;
    pod.ip(&["route", "add", "10.78.0.0/24", "dev", &pod.interface])?;
    push(&mut result, "routes", json!({ "dst": "10.78.0.0/24" }));
    let answer = pod.check(&result)?;
    answer.succeeds("CHECK fails after a later plugin added a route")
}

fn later_interface(testbed: &Testbed<'_>) -> Judged {
    let (pod, mut result) = checked(testbed)?;
    pod.ip(&["link", "add", "net9", "type", "bridge"])?;
    pod.ip(&["addr", "add", "10.77.0.9/24", "dev", "net9"])?;
    pod.ip(&["link", "set", "net9", "up"])?;
    let index = result["interfaces"].as_array().map_or(0, Vec::len);
    let ip = json!({ "address": "10.77.0.9/24", "interface": index });
    let interface = json!({ "name": "net9", "sandbox": pod.netns() });
    push(&mut result, "interfaces", interface);
    push(&mut result, "ips", ip);
    testbed.version().translate(&mut result);
    let answer = pod.check(&result)?;
    answer.succeeds("CHECK fails after a later plugin added an interface")
}

fn push(result: &mut Value, list: &str, item: Value) {
    if let Some(items) = result[list].as_array_mut() {
        items.push(item);
    } else {
        result[list] = json!([item]);
    }
}

fn interface_gone(testbed: &Testbed<'_>) -> Judged {
    let (pod, result) = checked(testbed)?;
    pod.ip(&["link", "del", &pod.interface])?;
    pod.check(&result)?
        .fails("the interface is gone, and CHECK succeeds")
}

fn host_gone(testbed: &Testbed<'_>) -> Judged {
    let (pod, result) = checked(testbed)?;
    let interfaces = result["interfaces"].as_array().into_iter().flatten();
    let mut on_host =
        interfaces.filter(|interface| interface["sandbox"].as_str().unwrap_or_default().is_empty());
    let Some(name) = on_host
        .next_back()
        .and_then(|interface| interface["name"].as_str())
    else {
        return skip("its result has no interface of the host");
    };
    testbed.machine.run(&["ip", "link", "set", name, "down"])?;
    pod.check(&result)?
        .fails(&format!("{name} is down, and CHECK succeeds"))
}

fn address_gone(testbed: &Testbed<'_>) -> Judged {
    let (pod, result) = checked(testbed)?;
    let Some(address) = result["ips"][0]["address"].as_str() else {
        return skip("its result has no address");
    };
    pod.ip(&["addr", "del", address, "dev", &pod.interface])?;
    pod.check(&result)?
        .fails(&format!("{address} is gone, and CHECK succeeds"))
}

fn route_gone(testbed: &Testbed<'_>) -> Judged {
    let (pod, result) = checked(testbed)?;
    let Some(dst) = result["routes"][0]["dst"].as_str() else {
        return skip("its result has no route");
    };
    if !pod.destinations()?.contains(&dst.to_owned()) {
        return skip("the route of its result is not there");
    }
    let family = if dst.contains(':') { "-6" } else { "-4" };
    pod.ip(&[family, "route", "del", dst])?;
    pod.check(&result)?
        .fails(&format!("the route to {dst} is gone, and CHECK succeeds"))
}

fn down(testbed: &Testbed<'_>) -> Judged {
    let (pod, result) = checked(testbed)?;
    pod.ip(&["link", "set", &pod.interface, "down"])?;
    pod.check(&result)?
        .fails("the interface is down, and CHECK succeeds")
}

fn reservation(testbed: &Testbed<'_>) -> Judged {
    let (pod, result) = checked(testbed)?;
    pod.detach(&result)?;
    pod.check(&result)?
        .fails("the address was freed, and CHECK succeeds")
}

fn environment(testbed: &Testbed<'_>) -> Judged {
    let (pod, result) = checked(testbed)?;
    for variable in ["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME"] {
        let answer = pod.call("CHECK").after(&result).without(variable).run()?;
        answer.fails(&format!("CHECK succeeds without {variable}"))?;
    }
    Ok(())
}
