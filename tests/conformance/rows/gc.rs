//! Section 2, "GC".

use serde_json::{Value, json};

use super::{EVERY, FIRST, Row};
use crate::conformance::call::Call;
use crate::conformance::pod::Pod;
use crate::conformance::spec::Spec;
use crate::conformance::stage::Stage;
use crate::conformance::verdict::{Judged, ensure};

const GC: &str = "2 GC";

pub(super) const ROWS: &[Row] = &[
    Row::should(
        "gc-frees",
        GC,
        FIRST,
        "gives back what containers held that are gone",
        frees,
    )
    .since(Spec::V1_1_0),
    Row::must(
        "gc-keeps",
        GC,
        EVERY,
        "leaves valid attachments as they are",
        keeps,
    )
    .since(Spec::V1_1_0),
    Row::must(
        "gc-by-ifname",
        GC,
        FIRST,
        "tells attachments of one container apart",
        by_ifname,
    )
    .since(Spec::V1_1_0),
    Row::should(
        "gc-nothing-to-do",
        GC,
        EVERY,
        "succeeds where there is nothing to do, and again",
        nothing_to_do,
    )
    .since(Spec::V1_1_0),
    Row::must("gc-silent", GC, EVERY, "prints nothing on success", silent).since(Spec::V1_1_0),
    Row::must(
        "gc-environment",
        GC,
        EVERY,
        "refuses GC without CNI_PATH",
        environment,
    )
    .since(Spec::V1_1_0),
];

/// GC that keeps these.
pub(super) fn collect<'s>(stage: &'s Stage<'s>, valid: &[&Pod<'_>]) -> Call<'s> {
    let attachment = |pod: &&Pod<'_>| json!({ "containerID": pod.id, "ifname": pod.interface });
    let valid: Vec<Value> = valid.iter().map(attachment).collect();
    stage.call("GC").key("cni.dev/valid-attachments", valid)
}

fn frees(stage: &Stage<'_>) -> Judged {
    let attached = stage.exhaust()?;
    let (kept, result) = &attached[0];
    for (gone, _) in &attached[1..] {
        gone.vanish()?;
    }
    collect(stage, &[kept]).run()?.succeeds("GC fails")?;
    kept.check(result)?
        .succeeds("CHECK of the one that GC was to keep fails")?;
    for _ in &attached[1..] {
        stage
            .pod()?
            .add()?
            .succeeds("after GC, ADD still finds less than before")?;
    }
    Ok(())
}

fn keeps(stage: &Stage<'_>) -> Judged {
    let (kept, gone) = (stage.pod()?, stage.pod()?);
    let result = kept.attach()?;
    gone.attach()?;
    gone.vanish()?;
    let answer = collect(stage, &[&kept]).run()?;
    answer.succeeds("GC fails")?;
    kept.check(&result)?
        .succeeds("CHECK of the one that GC was to keep fails")
}

fn by_ifname(stage: &Stage<'_>) -> Judged {
    let first = stage.pod()?;
    let second = first.by("net1");
    let result = first.attach()?;
    let other = second.attach()?;
    collect(stage, &[&first]).run()?.succeeds("GC fails")?;
    first
        .check(&result)?
        .succeeds("CHECK of the one that GC was to keep fails")?;
    second
        .check(&other)?
        .fails("GC was not to keep this one, and CHECK succeeds")
}

fn nothing_to_do(stage: &Stage<'_>) -> Judged {
    collect(stage, &[])
        .run()?
        .succeeds("GC fails on a fresh machine")?;
    let pod = stage.pod()?;
    pod.attach()?;
    pod.vanish()?;
    collect(stage, &[]).run()?.succeeds("GC fails")?;
    collect(stage, &[]).run()?.succeeds("the second GC fails")
}

fn silent(stage: &Stage<'_>) -> Judged {
    stage.pod()?.attach()?;
    let answer = collect(stage, &[]).run()?;
    answer.succeeds("GC fails")?;
    ensure(answer.stdout.trim().is_empty(), || {
        answer.tell("GC prints something")
    })
}

fn environment(stage: &Stage<'_>) -> Judged {
    collect(stage, &[])
        .without("CNI_PATH")
        .run()?
        .fails("GC does without CNI_PATH")
}
