//! Section 2, "VERSION", section 5, "VERSION Success", and the versions themselves.

use serde_json::{Value, json};

use super::{EVERY, Row};
use crate::conformance::spec::Spec;
use crate::conformance::testbed::Testbed;
use crate::conformance::verdict::{Judged, ensure, fail};

const VERSION: &str = "2 VERSION";
const SUCCESS: &str = "5 VERSION Success";

pub(super) const ROWS: &[Row] = &[
    Row::should(
        "version-prints",
        VERSION,
        EVERY,
        "prints a version result, needing CNI_COMMAND alone",
        prints,
    ),
    Row::must(
        "version-list",
        SUCCESS,
        EVERY,
        "lists released versions of the spec",
        list,
    ),
    Row::must(
        "version-input",
        SUCCESS,
        EVERY,
        "answers with the cniVersion of the input",
        input,
    ),
    Row::must(
        "version-serves",
        SUCCESS,
        EVERY,
        "adds and deletes in every version that it lists",
        serves,
    ),
    Row::must(
        "version-refuses",
        SUCCESS,
        EVERY,
        "refuses a version that it does not list",
        refuses,
    ),
];

fn prints(testbed: &Testbed<'_>) -> Judged {
    let call = testbed.call("VERSION").without("CNI_PATH");
    let result = call.stdin(r#"{"cniVersion":"1.0.0"}"#).run()?.result()?;
    ensure(result["supportedVersions"].is_array(), || {
        format!("no supportedVersions in {result}")
    })
}

fn list(testbed: &Testbed<'_>) -> Judged {
    let result = testbed.call("VERSION").run()?.result()?;
    let listed = result["supportedVersions"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let released = |listed: &Value| {
        let version = listed.as_str().and_then(|text| text.parse::<Spec>().ok());
        version.is_some_and(|version| Spec::RELEASED.contains(&version))
    };
    match listed.iter().find(|version| !released(version)) {
        Some(other) => fail(format!(
            "VERSION lists {other}, which is no released version"
        )),
        None => ensure(!listed.is_empty(), || {
            format!("VERSION lists nothing: {result}")
        }),
    }
}

fn input(testbed: &Testbed<'_>) -> Judged {
    for version in &testbed.versions {
        let input = json!({ "cniVersion": version.to_string() });
        let answer = testbed.call("VERSION").stdin(input.to_string()).run()?;
        let result = answer.result()?;
        ensure(result["cniVersion"] == input["cniVersion"], || {
            answer.with_evidence("the cniVersion of VERSION differs from the input's")
        })?;
    }
    Ok(())
}

fn serves(testbed: &Testbed<'_>) -> Judged {
    for version in &testbed.versions {
        let pod = testbed.pod()?;
        let result = pod.call("ADD").with_version(*version).run()?.result()?;
        let answer = pod.del().with_version(*version).after(&result).run()?;
        answer.succeeds("DEL fails")?;
    }
    Ok(())
}

fn refuses(testbed: &Testbed<'_>) -> Judged {
    for version in ["99.0.0", "1.0", "newest"] {
        let answer = testbed.add()?.key("cniVersion", version).run()?;
        answer.fails(&format!("cniVersion {version} is taken"))?;
    }
    Ok(())
}
