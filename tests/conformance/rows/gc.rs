//! Section 2, "GC".

use serde_json::{Value, json};

use super::{EVERY, FIRST, Row};
use crate::conformance::call::PluginCall;
use crate::conformance::pod::TestContainer;
use crate::conformance::spec::Spec;
use crate::conformance::testbed::Testbed;
use crate::conformance::verdict::{Judged, ensure};

const GC: &str = "2 GC";

pub(super) const ROWS: &[Row] = &[
    Row::should(
        "gc-frees",
        GC,
        FIRST,
        "frees what no valid attachment has reserved",
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
        "distinguishes attachments of one container",
        by_ifname,
    )
    .since(Spec::V1_1_0),
    Row::should(
        "gc-nothing-to-do",
        GC,
        EVERY,
        "succeeds when there is nothing to do, and again",
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

/// A GC call with these attachments as the valid ones.
pub(super) fn collect<'s>(
    testbed: &'s Testbed<'s>,
    valid: &[&TestContainer<'_>],
) -> PluginCall<'s> {
    let attachment =
        |pod: &&TestContainer<'_>| json!({ "containerID": pod.id, "ifname": pod.interface });
    let valid: Vec<Value> = valid.iter().map(attachment).collect();
    testbed.call("GC").key("cni.dev/valid-attachments", valid)
}

fn frees(testbed: &Testbed<'_>) -> Judged {
    let attached = testbed.exhaust()?;
    let (kept, result) = &attached[0];
    for (gone, _) in &attached[1..] {
        gone.delete_netns()?;
    }
    collect(testbed, &[kept]).run()?.succeeds("GC fails")?;
    kept.check(result)?
        .succeeds("CHECK of a valid attachment fails after GC")?;
    for _ in &attached[1..] {
        testbed
            .pod()?
            .add()?
            .succeeds("after GC, ADD finds fewer free addresses than before")?;
    }
    Ok(())
}

fn keeps(testbed: &Testbed<'_>) -> Judged {
    let (kept, gone) = (testbed.pod()?, testbed.pod()?);
    let result = kept.attach()?;
    gone.attach()?;
    gone.delete_netns()?;
    let answer = collect(testbed, &[&kept]).run()?;
    answer.succeeds("GC fails")?;
    kept.check(&result)?
        .succeeds("CHECK of a valid attachment fails after GC")
}

fn by_ifname(testbed: &Testbed<'_>) -> Judged {
    let first = testbed.pod()?;
    let second = first.with_interface("net1");
    let result = first.attach()?;
    let other = second.attach()?;
    collect(testbed, &[&first]).run()?.succeeds("GC fails")?;
    first
        .check(&result)?
        .succeeds("CHECK of a valid attachment fails after GC")?;
    second
        .check(&other)?
        .fails("CHECK of an attachment that GC had to remove succeeds")
}

fn nothing_to_do(testbed: &Testbed<'_>) -> Judged {
    collect(testbed, &[])
        .run()?
        .succeeds("GC fails on a fresh machine")?;
    let pod = testbed.pod()?;
    pod.attach()?;
    pod.delete_netns()?;
    collect(testbed, &[]).run()?.succeeds("GC fails")?;
    collect(testbed, &[]).run()?.succeeds("the second GC fails")
}

fn silent(testbed: &Testbed<'_>) -> Judged {
    testbed.pod()?.attach()?;
    let answer = collect(testbed, &[]).run()?;
    answer.succeeds("GC fails")?;
    ensure(answer.stdout.trim().is_empty(), || {
        answer.with_evidence("GC prints something")
    })
}

fn environment(testbed: &Testbed<'_>) -> Judged {
    collect(testbed, &[])
        .without("CNI_PATH")
        .run()?
        .fails("GC succeeds without CNI_PATH")
}
