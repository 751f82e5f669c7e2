//! CONVENTIONS.md, beside SPEC.md: optional parameters of runtimes.

use serde_json::{Value, json};

use super::{EVERY, FIRST, Row};
use crate::conformance::testbed::Testbed;
use crate::conformance::verdict::{Judged, ensure, skip};

const ARGS: &str = "Conventions: \"args\"";
const CNI_ARGS: &str = "Conventions: CNI_ARGS";

pub(super) const ROWS: &[Row] = &[
    Row::should(
        "args-ignored",
        ARGS,
        EVERY,
        "ignores args that it does not understand",
        args_ignored,
    ),
    Row::should(
        "cni-args-taken",
        CNI_ARGS,
        EVERY,
        "accepts the CNI_ARGS of Kubernetes' runtimes",
        cni_args_taken,
    ),
    Row::must(
        "args-before-cni-args",
        CNI_ARGS,
        FIRST,
        "ignores IP in CNI_ARGS if args has ips and it knows them",
        args_first,
    ),
];

fn args_ignored(testbed: &Testbed<'_>) -> Judged {
    let args = json!({ "cni": { "labels": [{ "key": "app", "value": "web" }] }, "other": 1 });
    let answer = testbed.add()?.key("args", args).run()?;
    answer.succeeds("unknown args are refused")
}

fn cni_args_taken(testbed: &Testbed<'_>) -> Judged {
    // As containerd and CRI-O pass them.
    let args = "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=web-0;\
                K8S_POD_INFRA_CONTAINER_ID=0123456789abcdef;\
                K8S_POD_UID=c7f1ab8d-5a5c-4f5e-9f0e-0d5e1a2b3c4d";
    let answer = testbed.add()?.with("CNI_ARGS", args).run()?;
    answer.succeeds("the CNI_ARGS of Kubernetes' runtimes are refused")
}

fn args_first(testbed: &Testbed<'_>) -> Judged {
    let mut addresses = Vec::new();
    for _ in 0..2 {
        let pod = testbed.pod()?;
        let result = pod.attach()?;
        pod.detach(&result)?;
        addresses.push(result["ips"][0]["address"].clone());
    }
    let asked = &addresses[0];
    let answer = {
        let call = testbed
            .add()?
            .key("args", json!({ "cni": { "ips": [asked] } }));
        call.run()?
    };
    if !answer.is_success() || !has(&answer.object()?, asked) {
        return skip("it does not know ips in args");
    }
    let pod = testbed.pod()?;
    let args = json!({ "cni": { "ips": [addresses[1]] } });
    let taken = format!("IgnoreUnknown=1;IP={}", asked.as_str().unwrap_or_default());
    let answer = pod
        .call("ADD")
        .key("args", args)
        .with("CNI_ARGS", taken)
        .run()?;
    ensure(has(&answer.result()?, &addresses[1]), || {
        answer.with_evidence("args has ips, and IP in CNI_ARGS is not ignored")
    })
}

fn has(result: &Value, address: &Value) -> bool {
    let mut ips = result["ips"].as_array().into_iter().flatten();
    ips.any(|ip| ip["address"] == *address)
}
