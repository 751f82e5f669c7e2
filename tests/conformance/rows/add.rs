//! Section 2, "ADD".

use serde_json::{Value, json};

use super::{CALLED, EVERY, FIRST, INTERFACE, Row};
use crate::conformance::answer::Answer;
use crate::conformance::pod::TestContainer;
use crate::conformance::spec::Spec;
use crate::conformance::subject::PluginKind;
use crate::conformance::testbed::Testbed;
use crate::conformance::verdict::{Judged, ensure};

const ADD: &str = "2 ADD";

pub(super) const ROWS: &[Row] = &[
    Row::should(
        "add-creates",
        ADD,
        INTERFACE,
        "makes the interface, up and with an address",
        creates,
    ),
    Row::must(
        "add-result",
        ADD,
        EVERY,
        "prints a result, and only that, on standard output",
        prints_result,
    ),
    Row::must(
        "add-name-taken",
        ADD,
        INTERFACE,
        "refuses the name of an existing interface, and keeps it",
        name_taken,
    ),
    Row::must(
        "add-twice",
        ADD,
        INTERFACE,
        "refuses a second ADD of the same attachment",
        twice,
    ),
    Row::should(
        "add-other-ifname",
        ADD,
        FIRST,
        "adds another CNI_IFNAME to the same container",
        other_ifname,
    ),
    Row::must(
        "add-environment",
        ADD,
        EVERY,
        "refuses ADD without a required variable",
        environment,
    ),
    Row::must(
        "add-prev-result",
        ADD,
        CALLED,
        "passes prevResult on, with its own changes",
        prev_result,
    ),
];

fn creates(testbed: &Testbed<'_>) -> Judged {
    let pod = testbed.pod()?;
    let answer = pod.add()?;
    answer.result()?;
    let link = pod.link()?;
    let usable = link.is_some_and(|link| link.is_up() && !link.addresses().is_empty());
    ensure(usable, || {
        answer.with_evidence("the interface is not there, up, and with an address")
    })
}

fn prints_result(testbed: &Testbed<'_>) -> Judged {
    let answer = testbed.pod()?.add()?;
    answer.succeeds("ADD fails")?;
    answer.object().map(drop)
}

fn name_taken(testbed: &Testbed<'_>) -> Judged {
    let pod = testbed.pod()?;
    pod.ip(&["link", "add", "eth0", "type", "bridge"])?;
    let before = pod.link()?.map(|link| link.mac);
    let answer = pod.add()?;
    answer.fails("an interface of that name exists")?;
    let after = pod.link()?.map(|link| link.mac);
    ensure(before == after, || {
        answer.with_evidence("the interface that was there is gone")
    })
}

fn twice(testbed: &Testbed<'_>) -> Judged {
    let pod = testbed.pod()?;
    pod.attach()?;
    let answer = pod.add()?;
    answer.fails("a second ADD of the same attachment succeeds")?;
    ensure(pod.link()?.is_some(), || {
        answer.with_evidence("the second ADD removed the interface")
    })
}

fn other_ifname(testbed: &Testbed<'_>) -> Judged {
    let first = testbed.pod()?;
    let second = first.with_interface("net1");
    let result = first.attach()?;
    second.attach()?;
    if testbed.is_ipam() {
        return Ok(());
    }
    first.detach(&result)?;
    second.is_attached()
}

fn environment(testbed: &Testbed<'_>) -> Judged {
    for variable in ["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME"] {
        let answer = testbed.add()?.without(variable).run()?;
        answer.fails(&format!("ADD succeeds without {variable}"))?;
    }
    Ok(())
}

fn prev_result(testbed: &Testbed<'_>) -> Judged {
    for version in &testbed.versions {
        let pod = testbed.pod()?;
        let call = pod.call("ADD").with_version(*version);
        let call = if pod.before.is_some() {
            call
        } else {
            call.after(&earlier(&pod, *version)?)
        };
        let before = call.config()["prevResult"].clone();
        let answer = call.run()?;
        let result = answer.result()?;
        for (list, key) in [
            ("interfaces", "name"),
            ("ips", "address"),
            ("routes", "dst"),
        ] {
            for item in before[list].as_array().into_iter().flatten() {
                let found = find(&result[list], key, &item[key]);
                ensure(found.is_some(), || {
                    answer.with_evidence(&format!(
                        "{item} of prevResult is not in the result's {list}"
                    ))
                })?;
            }
        }
        ensure(
            result["dns"] == before["dns"] || before["dns"].is_null(),
            || answer.with_evidence("the dns of the result differs from prevResult's"),
        )?;
        leads_to_same_interfaces(&before, &result, &answer)?;
        if testbed.subject.kind == PluginKind::Interface {
            let own = find(&result["interfaces"], "name", &json!(pod.interface));
            ensure(own.is_some(), || {
                answer.with_evidence("its own interface is not in the result")
            })?;
        }
    }
    Ok(())
}

/// The item of a list with `value` as its `key`.
fn find<'v>(list: &'v Value, key: &str, value: &Value) -> Option<&'v Value> {
    list.as_array()
        .into_iter()
        .flatten()
        .find(|item| item[key] == *value)
}

/// The addresses of prevResult must belong to the same interfaces, whatever the interfaces' indices
/// are in the result.
fn leads_to_same_interfaces(before: &Value, result: &Value, answer: &Answer) -> Judged {
    let name_of = |all: &Value, ip: &Value| {
        let index = ip["interface"]
            .as_u64()
            .and_then(|index| usize::try_from(index).ok());
        index.map(|index| all["interfaces"][index]["name"].clone())
    };
    for ip in before["ips"].as_array().into_iter().flatten() {
        let Some(now) = find(&result["ips"], "address", &ip["address"]) else {
            continue;
        };
        ensure(name_of(before, ip) == name_of(result, now), || {
            answer.with_evidence(&format!("{} has moved to another interface", ip["address"]))
        })?;
    }
    Ok(())
}

/// Makes another interface in the container, and the result of the plugin that made it.
fn earlier(pod: &TestContainer<'_>, version: Spec) -> Judged<Value> {
    pod.ip(&[
        "link",
        "add",
        "net9",
        "address",
        "02:00:00:00:00:09",
        "type",
        "bridge",
    ])?;
    pod.ip(&["addr", "add", "10.77.0.9/24", "dev", "net9"])?;
    pod.ip(&["link", "set", "net9", "up"])?;
    let ip = json!({ "address": "10.77.0.9/24", "gateway": "10.77.0.1", "interface": 0 });
    let mut result = json!({
        "interfaces": [{ "name": "net9", "mac": "02:00:00:00:00:09", "sandbox": pod.netns() }],
        "ips": [ip],
        "routes": [{ "dst": "10.78.0.0/24", "gw": "10.77.0.1" }],
        "dns": { "nameservers": ["10.77.0.1"] },
    });
    version.translate(&mut result);
    Ok(result)
}
