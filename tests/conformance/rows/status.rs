//! Section 2, "STATUS".

use super::{EVERY, FIRST, Row};
use crate::conformance::spec::Spec;
use crate::conformance::stage::Stage;
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
        "adds without having been asked for STATUS",
        not_needed,
    )
    .since(Spec::V1_1_0),
    Row::must(
        "status-exhausted",
        STATUS,
        FIRST,
        "fails when nothing is left to give, with an error",
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

fn ready(stage: &Stage<'_>) -> Judged {
    stage
        .call("STATUS")
        .run()?
        .succeeds("STATUS fails on a fresh machine")?;
    stage.pod()?.attach()?;
    stage
        .call("STATUS")
        .run()?
        .succeeds("STATUS fails after an ADD")
}

fn not_needed(stage: &Stage<'_>) -> Judged {
    stage.pod()?.attach().map(drop)
}

fn exhausted(stage: &Stage<'_>) -> Judged {
    stage.exhaust()?;
    let answer = stage.call("STATUS").run()?;
    answer.fails("ADD finds nothing left, and STATUS succeeds")?;
    answer.object().map(drop)
}

fn code(stage: &Stage<'_>) -> Judged {
    stage.exhaust()?;
    let answer = stage.call("STATUS").run()?;
    let code = answer.code()?;
    ensure(matches!(code, 50 | 51), || {
        answer.tell(&format!("STATUS fails with code {code}"))
    })
}

fn others_work(stage: &Stage<'_>) -> Judged {
    let attached = stage.exhaust()?;
    let (pod, result) = &attached[0];
    stage.call("STATUS").run()?;
    pod.check(result)?
        .succeeds("CHECK fails while STATUS does")?;
    pod.detach(result)?;
    stage.pod()?.attach().map(drop)
}
