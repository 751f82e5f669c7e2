//! Section 1, "Network configuration format", and how a request is derived from it (section 3).

use serde_json::json;

use super::{CALLED, EVERY, Row};
use crate::conformance::stage::Stage;
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
        "takes a name of all that the alphabet has",
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
        "takes the keys that runtimes insert",
        reserved_keys,
    ),
];

fn name_required(stage: &Stage<'_>) -> Judged {
    let call = stage.add()?.edit(|config| {
        config.as_object_mut().map(|config| config.remove("name"));
    });
    call.run()?.fails("a configuration without a name is taken")
}

fn name_alphabet(stage: &Stage<'_>) -> Judged {
    for name in ["", "../name", "a/b", "-name", "_name", "na me", "na:me"] {
        let answer = stage.add()?.key("name", name).run()?;
        answer.fails(&format!("the name {name:?} is taken"))?;
    }
    Ok(())
}

fn name_accepted(stage: &Stage<'_>) -> Judged {
    let pod = stage.pod()?;
    let answer = pod.call("ADD").key("name", "9.Name_of-it").run()?;
    answer.succeeds("a name of the alphabet is refused")
}

fn ipam_type_path(stage: &Stage<'_>) -> Judged {
    let ipam = stage.ipam()?;
    for path in [format!("../bin/{ipam}"), format!("/opt/cni/bin/{ipam}")] {
        let call = stage.add()?;
        let answer = call
            .edit(|config| config["ipam"]["type"] = json!(path))
            .run()?;
        answer.fails(&format!("the IPAM type {path} is taken"))?;
    }
    Ok(())
}

fn dns_respected(stage: &Stage<'_>) -> Judged {
    let dns = json!({
        "nameservers": ["10.1.0.1"], "domain": "example.org",
        "search": ["a.example.org"], "options": ["ndots:2"],
    });
    let answer = stage.add()?.key("dns", dns.clone()).run()?;
    let result = answer.result()?;
    match result["dns"].as_object() {
        Some(said) if !said.is_empty() => ensure(result["dns"] == dns, || {
            answer.tell("the result has another dns than the configuration")
        }),
        _ => skip("it does not consume dns"),
    }
}

fn reserved_keys(stage: &Stage<'_>) -> Judged {
    let call = stage.add()?.key("runtimeConfig", json!({}));
    let call = call.key("args", json!({ "cni": {} }));
    call.run()?.succeeds("runtimeConfig or args is refused")
}
