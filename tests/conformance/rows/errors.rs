//! Section 5, "Error".

use super::{EVERY, Row};
use crate::conformance::answer::Answer;
use crate::conformance::testbed::Testbed;
use crate::conformance::verdict::{Judged, ensure, skip};

const ERROR: &str = "5 Error";

pub(super) const ROWS: &[Row] = &[
    Row::should(
        "error-object",
        ERROR,
        EVERY,
        "prints an error with code and msg on standard output",
        object,
    ),
    Row::should(
        "error-version",
        ERROR,
        EVERY,
        "prints the cniVersion in use with an error",
        version,
    ),
    Row::must(
        "error-reserved",
        ERROR,
        EVERY,
        "uses no code below 100 that the spec does not define",
        reserved,
    ),
    Row::must(
        "error-1",
        ERROR,
        EVERY,
        "refuses an incompatible cniVersion with code 1",
        incompatible,
    ),
    Row::must(
        "error-2",
        ERROR,
        EVERY,
        "refuses an unknown key with code 2, naming key and value",
        unsupported,
    ),
    Row::must(
        "error-4",
        ERROR,
        EVERY,
        "refuses missing variables with code 4",
        environment,
    ),
    Row::must(
        "error-4-names",
        ERROR,
        EVERY,
        "names the variables that are missing or invalid",
        names,
    ),
    Row::must(
        "error-5",
        ERROR,
        EVERY,
        "fails with code 5 when it cannot read standard input",
        unreadable,
    ),
    Row::must(
        "error-6",
        ERROR,
        EVERY,
        "refuses what is not JSON with code 6",
        undecodable,
    ),
    Row::must(
        "error-7",
        ERROR,
        EVERY,
        "refuses an invalid configuration with code 7",
        invalid,
    ),
];

/// Calls that must fail, with the reason, and their outcome.
pub(super) fn provoke(testbed: &Testbed<'_>) -> Judged<Vec<(&'static str, Answer)>> {
    let calls = [
        (
            "a variable is missing",
            testbed.add()?.without("CNI_CONTAINERID"),
        ),
        (
            "there is no such command",
            testbed.add()?.with("CNI_COMMAND", "ATTACH"),
        ),
        (
            "the cniVersion is not supported",
            testbed.add()?.key("cniVersion", "99.0.0"),
        ),
        (
            "the configuration is not JSON",
            testbed.add()?.stdin("{ \"cniVersion\": "),
        ),
        (
            "the network's name is a path",
            testbed.add()?.key("name", "../name"),
        ),
    ];
    calls
        .into_iter()
        .map(|(why, call)| Ok((why, call.run()?)))
        .collect()
}

fn object(testbed: &Testbed<'_>) -> Judged {
    for (why, answer) in provoke(testbed)? {
        answer.code()?;
        let error = answer.object()?;
        ensure(
            error["msg"].as_str().is_some_and(|msg| !msg.is_empty()),
            || answer.with_evidence(&format!("{why}, and the error has no msg")),
        )?;
    }
    Ok(())
}

fn version(testbed: &Testbed<'_>) -> Judged {
    for version in &testbed.versions {
        let call = testbed
            .add()?
            .with_version(*version)
            .without("CNI_CONTAINERID");
        let answer = call.run()?;
        answer.fails("a variable is missing")?;
        let error = answer.object()?;
        ensure(error["cniVersion"] == version.to_string(), || {
            answer.with_evidence("the error does not have the cniVersion of the input")
        })?;
    }
    Ok(())
}

fn reserved(testbed: &Testbed<'_>) -> Judged {
    for (why, answer) in provoke(testbed)? {
        let code = answer.code()?;
        ensure(matches!(code, 1..=7 | 11 | 50 | 51 | 100..), || {
            answer.with_evidence(&format!("{why}: the spec defines no code {code}"))
        })?;
    }
    Ok(())
}

fn incompatible(testbed: &Testbed<'_>) -> Judged {
    testbed
        .add()?
        .key("cniVersion", "99.0.0")
        .run()?
        .has_code(1)
}

fn unsupported(testbed: &Testbed<'_>) -> Judged {
    let (key, value) = ("conformanceKey", "conformance-value");
    let top = testbed.add()?.key(key, value);
    let mut calls = vec![top];
    if testbed.subject.config["ipam"].is_object() {
        let nested = testbed
            .add()?
            .edit(|config| config["ipam"][key] = value.into());
        calls.push(nested);
    }
    let mut any = false;
    for call in calls {
        let answer = call.run()?;
        if answer.is_success() {
            continue;
        }
        any = true;
        answer.has_code(2)?;
        let message = answer.message()?;
        ensure(message.contains(key) && message.contains(value), || {
            answer.with_evidence("the error does not name the key and its value")
        })?;
    }
    if any {
        Ok(())
    } else {
        skip("it accepts unknown keys, as the spec permits")
    }
}

/// Calls with one variable missing.
fn incomplete(testbed: &Testbed<'_>) -> Judged<Vec<(&'static str, Answer)>> {
    let variables = ["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME"];
    let call = |variable| Ok((variable, testbed.add()?.without(variable).run()?));
    variables.into_iter().map(call).collect()
}

fn environment(testbed: &Testbed<'_>) -> Judged {
    for (_, answer) in incomplete(testbed)? {
        answer.has_code(4)?;
    }
    Ok(())
}

fn names(testbed: &Testbed<'_>) -> Judged {
    let mut calls = incomplete(testbed)?;
    let invalid = testbed.add()?.with("CNI_CONTAINERID", "../id").run()?;
    calls.push(("CNI_CONTAINERID", invalid));
    let unknown = testbed.pod()?.call("ATTACH").run()?;
    calls.push(("CNI_COMMAND", unknown));
    for (variable, answer) in calls {
        answer.code()?;
        let message = answer.message()?;
        ensure(message.contains(variable), || {
            answer.with_evidence(&format!("the error does not name {variable}"))
        })?;
    }
    Ok(())
}

fn unreadable(testbed: &Testbed<'_>) -> Judged {
    testbed.add()?.unreadable().run()?.has_code(5)
}

fn undecodable(testbed: &Testbed<'_>) -> Judged {
    for bytes in ["{ \"cniVersion\": ", "configuration", "[]"] {
        testbed.add()?.stdin(bytes).run()?.has_code(6)?;
    }
    Ok(())
}

fn invalid(testbed: &Testbed<'_>) -> Judged {
    testbed.add()?.key("name", "../name").run()?.has_code(7)
}
