//! Section 2, "STATUS".

use super::{EVERY, FIRST, Row};
use crate::conformance::spec::Spec;
use crate::conformance::testbed::Testbed;
use crate::conformance::verdict::{Judged, ensure};

const STATUS: &str = "2 STATUS";

pub(super) const ROWS: &[Row] = &[
    Row::must(
        "status-ready",
        STATUS,
        EVERY,
        "exits with 0 when ADD would work",
        ready,
    )
    .since(Spec::V1_1_0),
    Row::must(
        "status-not-needed",
        STATUS,
        EVERY,
        "adds without a STATUS before it",
        not_needed,
    )
    .since(Spec::V1_1_0),
    Row::must(
        "status-exhausted",
        STATUS,
        FIRST,
        "fails with an error when no address is free",
        exhausted,
    )
    .since(Spec::V1_1_0),
    Row::must(
        "status-code",
        STATUS,
        FIRST,
        "fails with code 50 or 51",
        code,
    )
    .since(Spec::V1_1_0),
    Row::should(
        "status-others-work",
        STATUS,
        FIRST,
        "serves other commands while STATUS fails",
        others_work,
    )
    .since(Spec::V1_1_0),
];

fn ready(testbed: &Testbed<'_>) -> Judged {
    testbed
        .call("STATUS")
        .run()?
        .succeeds("STATUS fails on a fresh machine")?;
    testbed.pod()?.attach()?;
    testbed
        .call("STATUS")
        .run()?
        .succeeds("STATUS fails after an ADD")
}

fn not_needed(testbed: &Testbed<'_>) -> Judged {
    testbed.pod()?.attach().map(drop)
}

fn exhausted(testbed: &Testbed<'_>) -> Judged {
    testbed.exhaust()?;
    let answer = testbed.call("STATUS").run()?;
    answer.fails("ADD finds no free address, and STATUS succeeds")?;
    answer.object().map(drop)
}

fn code(testbed: &Testbed<'_>) -> Judged {
    testbed.exhaust()?;
    let answer = testbed.call("STATUS").run()?;
    let code = answer.code()?;
    ensure(matches!(code, 50 | 51), || {
        answer.with_evidence(&format!("STATUS fails with code {code}"))
    })
}

fn others_work(testbed: &Testbed<'_>) -> Judged {
    let attached = testbed.exhaust()?;
    let (pod, result) = &attached[0];
    testbed.call("STATUS").run()?;
    pod.check(result)?
        .succeeds("CHECK fails while STATUS does")?;
    pod.detach(result)?;
    testbed.pod()?.attach().map(drop)
}
