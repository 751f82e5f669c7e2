//! Section 1, "Network configuration format", and the derivation of a request from it (section 3).

use serde_json::json;

use super::{CALLED, EVERY, Row};
use crate::conformance::testbed::Testbed;
use crate::conformance::verdict::{Judged, ensure, skip};

const FORMAT: &str = "1 Configuration format";
const OBJECTS: &str = "1 Plugin configuration objects";
const DERIVING: &str = "3 Deriving request configuration";

pub(super) const ROWS: &[Row] = &[
    Row::must(
        "name-required",
        FORMAT,
        EVERY,
        "refuses a configuration without a name",
        name_required,
    ),
    Row::must(
        "name-alphabet",
        FORMAT,
        EVERY,
        "refuses a name outside of the alphabet",
        name_alphabet,
    ),
    Row::must(
        "name-accepted",
        FORMAT,
        EVERY,
        "accepts every character of the alphabet in a name",
        name_accepted,
    ),
    Row::must(
        "ipam-type-path",
        OBJECTS,
        CALLED,
        "refuses an IPAM type that is a path",
        ipam_type_path,
    ),
    Row::should(
        "dns-respected",
        OBJECTS,
        EVERY,
        "respects dns, if it consumes it",
        dns_respected,
    ),
    Row::must(
        "reserved-keys",
        DERIVING,
        EVERY,
        "accepts the keys that runtimes insert",
        reserved_keys,
    ),
];

fn name_required(testbed: &Testbed<'_>) -> Judged {
    let call = testbed.add()?.edit(|config| {
        config.as_object_mut().map(|config| config.remove("name"));
    });
    call.run()?
        .fails("a configuration without a name is accepted")
}

fn name_alphabet(testbed: &Testbed<'_>) -> Judged {
    for name in ["", "../name", "a/b", "-name", "_name", "na me", "na:me"] {
        let answer = testbed.add()?.key("name", name).run()?;
        answer.fails(&format!("the name {name:?} is accepted"))?;
    }
    Ok(())
}

fn name_accepted(testbed: &Testbed<'_>) -> Judged {
    let pod = testbed.pod()?;
    let answer = pod.call("ADD").key("name", "9.Name_of-it").run()?;
    answer.succeeds("a name of the alphabet is refused")
}

fn ipam_type_path(testbed: &Testbed<'_>) -> Judged {
    let ipam = testbed.ipam()?;
    for path in [format!("../bin/{ipam}"), format!("/opt/cni/bin/{ipam}")] {
        let call = testbed.add()?;
        let answer = call
            .edit(|config| config["ipam"]["type"] = json!(path))
            .run()?;
        answer.fails(&format!("the IPAM type {path} is accepted"))?;
    }
    Ok(())
}

fn dns_respected(testbed: &Testbed<'_>) -> Judged {
    let dns = json!({
        "nameservers": ["10.1.0.1"], "domain": "example.org",
        "search": ["a.example.org"], "options": ["ndots:2"],
    });
    let answer = testbed.add()?.key("dns", dns.clone()).run()?;
    let result = answer.result()?;
    match result["dns"].as_object() {
        Some(given) if !given.is_empty() => ensure(result["dns"] == dns, || {
            answer.with_evidence("the dns of the result differs from the configuration's")
        }),
        _ => skip("it does not consume dns"),
    }
}

fn reserved_keys(testbed: &Testbed<'_>) -> Judged {
    let call = testbed.add()?.key("runtimeConfig", json!({}));
    let call = call.key("args", json!({ "cni": {} }));
    call.run()?.succeeds("runtimeConfig or args is refused")
}
