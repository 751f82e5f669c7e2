//! Section 4, "Plugin Delegation", and what section 2 says of it. All of it is seen by a spy in
//! front of the IPAM plugin.

use super::gc::collect;
use super::{CALLED, INTERFACE, Row};
use crate::conformance::spec::Spec;
use crate::conformance::spy::{Sighting, Spy, WHISPER};
use crate::conformance::stage::Stage;
use crate::conformance::verdict::{Judged, ensure, fail};

const PROTOCOL: &str = "4 Delegated Plugin protocol";
const EXECUTION: &str = "4 Delegated plugin execution procedure";

pub(super) const ROWS: &[Row] = &[
    Row::must(
        "delegate-environment",
        PROTOCOL,
        CALLED,
        "passes the environment on, all of it",
        environment,
    ),
    Row::must(
        "delegate-config",
        PROTOCOL,
        CALLED,
        "passes the whole configuration on",
        config,
    ),
    Row::should(
        "delegate-path",
        EXECUTION,
        CALLED,
        "looks for the plugin in CNI_PATH, in order, and nowhere else",
        path,
    ),
    Row::should(
        "delegate-stderr",
        EXECUTION,
        CALLED,
        "passes on what the plugin writes to standard error",
        stderr,
    ),
    Row::must(
        "delegate-add",
        EXECUTION,
        CALLED,
        "fails when the plugin's ADD does",
        add_fails,
    ),
    Row::should(
        "delegate-add-undone",
        EXECUTION,
        CALLED,
        "calls the plugin's DEL when its ADD failed",
        add_undone,
    ),
    Row::should(
        "delegate-add-left",
        EXECUTION,
        INTERFACE,
        "takes the address back when its own ADD fails",
        add_left,
    ),
    Row::must(
        "delegate-del",
        EXECUTION,
        CALLED,
        "executes the plugin on DEL",
        del,
    ),
    Row::should(
        "delegate-del-error",
        EXECUTION,
        CALLED,
        "returns an error when the plugin's DEL does",
        del_error,
    ),
    Row::should(
        "delegate-del-gone",
        EXECUTION,
        CALLED,
        "executes the plugin on DEL when the namespace is gone",
        del_gone,
    ),
    Row::must(
        "delegate-check",
        EXECUTION,
        CALLED,
        "executes the plugin on CHECK",
        check,
    )
    .since(Spec::V0_4_0),
    Row::should(
        "delegate-check-error",
        EXECUTION,
        CALLED,
        "returns an error when the plugin's CHECK does",
        check_error,
    )
    .since(Spec::V0_4_0),
    Row::must(
        "delegate-status",
        EXECUTION,
        CALLED,
        "executes the plugin on STATUS",
        status,
    )
    .since(Spec::V1_1_0),
    Row::should(
        "delegate-status-error",
        EXECUTION,
        CALLED,
        "returns an error when the plugin's STATUS does",
        status_error,
    )
    .since(Spec::V1_1_0),
    Row::must(
        "delegate-gc",
        EXECUTION,
        CALLED,
        "executes the plugin on GC",
        gc,
    )
    .since(Spec::V1_1_0),
    Row::should(
        "delegate-gc-error",
        EXECUTION,
        CALLED,
        "returns an error when the plugin's GC does",
        gc_error,
    )
    .since(Spec::V1_1_0),
];

/// The one call that the spy has seen.
fn only(spy: &Spy<'_>, command: &str) -> Judged<Sighting> {
    let mut seen = spy.sightings()?;
    match seen.pop() {
        Some(last) if seen.is_empty() && last.command == command => Ok(last),
        other => fail(format!(
            "the IPAM plugin was to be called once, for {command}: {other:?}"
        )),
    }
}

fn environment(stage: &Stage<'_>) -> Judged {
    let spy = Spy::install(stage)?;
    let call = spy.watch(stage.add()?);
    let call = call
        .with("CNI_ARGS", "IgnoreUnknown=1;FOO=BAR")
        .with("UNRELATED", "to be kept");
    let sent = call.variables().clone();
    call.run()?.succeeds("ADD fails")?;
    let got = only(&spy, "ADD")?.environment;
    for (name, value) in sent {
        let line = format!("{name}={value}");
        ensure(got.contains(&line), || {
            format!("the IPAM plugin did not get {line}, but {got:?}")
        })?;
    }
    Ok(())
}

fn config(stage: &Stage<'_>) -> Judged {
    let spy = Spy::install(stage)?;
    let call = spy.watch(stage.add()?);
    let sent = call.config().clone();
    call.run()?.succeeds("ADD fails")?;
    let got = Sighting::json(&only(&spy, "ADD")?.stdin)?;
    ensure(got == sent, || {
        format!("the IPAM plugin got {got} instead of {sent}")
    })
}

fn path(stage: &Stage<'_>) -> Judged {
    let spy = Spy::install(stage)?;
    spy.watch(stage.add()?).run()?.succeeds("ADD fails")?;
    only(&spy, "ADD")?;
    let elsewhere = stage.add()?.with("CNI_PATH", "/opt/cni/nothing");
    elsewhere
        .run()?
        .fails("the IPAM plugin is not in CNI_PATH, and ADD succeeds")
}

fn stderr(stage: &Stage<'_>) -> Judged {
    let spy = Spy::install(stage)?;
    let answer = spy.watch(stage.add()?).run()?;
    answer.succeeds("ADD fails")?;
    ensure(answer.stderr.contains(WHISPER), || {
        answer.tell(&format!("{WHISPER:?} is not on standard error"))
    })
}

fn add_fails(stage: &Stage<'_>) -> Judged {
    let spy = Spy::install(stage)?;
    spy.refuse("ADD")?;
    let answer = spy.watch(stage.add()?).run()?;
    answer.fails("the IPAM plugin's ADD fails, and ADD succeeds")
}

fn add_undone(stage: &Stage<'_>) -> Judged {
    let spy = Spy::install(stage)?;
    spy.refuse("ADD")?;
    spy.watch(stage.add()?).run()?;
    let seen = spy.commands()?;
    ensure(seen == ["ADD", "DEL"], || {
        format!("the IPAM plugin was to be called for ADD and then DEL: {seen:?}")
    })
}

fn add_left(stage: &Stage<'_>) -> Judged {
    let spy = Spy::install(stage)?;
    let pod = stage.pod()?;
    pod.ip(&["link", "add", &pod.interface, "type", "bridge"])?;
    let answer = spy.watch(pod.call("ADD")).run()?;
    answer.fails("an interface of that name exists")?;
    let seen = spy.commands()?;
    ensure(
        seen.is_empty() || seen.ends_with(&["DEL".to_owned()]),
        || format!("the IPAM plugin was to be called for DEL at last: {seen:?}"),
    )
}

fn del(stage: &Stage<'_>) -> Judged {
    let pod = stage.pod()?;
    let result = pod.attach()?;
    let spy = Spy::install(stage)?;
    spy.watch(pod.del().after(&result))
        .run()?
        .succeeds("DEL fails")?;
    only(&spy, "DEL").map(drop)
}

fn del_error(stage: &Stage<'_>) -> Judged {
    let pod = stage.pod()?;
    let result = pod.attach()?;
    let spy = Spy::install(stage)?;
    spy.refuse("DEL")?;
    let answer = spy.watch(pod.del().after(&result)).run()?;
    answer.fails("the IPAM plugin's DEL fails, and DEL succeeds")
}

fn del_gone(stage: &Stage<'_>) -> Judged {
    let pod = stage.pod()?;
    let result = pod.attach()?;
    let spy = Spy::install(stage)?;
    pod.vanish()?;
    spy.watch(pod.del().after(&result))
        .run()?
        .succeeds("DEL fails")?;
    only(&spy, "DEL").map(drop)
}

fn check(stage: &Stage<'_>) -> Judged {
    let pod = stage.pod()?;
    let result = pod.attach()?;
    let spy = Spy::install(stage)?;
    spy.watch(pod.call("CHECK").after(&result)).run()?;
    only(&spy, "CHECK").map(drop)
}

fn check_error(stage: &Stage<'_>) -> Judged {
    let pod = stage.pod()?;
    let result = pod.attach()?;
    let spy = Spy::install(stage)?;
    spy.refuse("CHECK")?;
    let answer = spy.watch(pod.call("CHECK").after(&result)).run()?;
    answer.fails("the IPAM plugin's CHECK fails, and CHECK succeeds")
}

fn status(stage: &Stage<'_>) -> Judged {
    let spy = Spy::install(stage)?;
    spy.watch(stage.call("STATUS")).run()?;
    only(&spy, "STATUS").map(drop)
}

fn status_error(stage: &Stage<'_>) -> Judged {
    let spy = Spy::install(stage)?;
    spy.refuse("STATUS")?;
    let answer = spy.watch(stage.call("STATUS")).run()?;
    answer.fails("the IPAM plugin's STATUS fails, and STATUS succeeds")
}

fn gc(stage: &Stage<'_>) -> Judged {
    let spy = Spy::install(stage)?;
    spy.watch(collect(stage, &[])).run()?;
    only(&spy, "GC").map(drop)
}

fn gc_error(stage: &Stage<'_>) -> Judged {
    let spy = Spy::install(stage)?;
    spy.refuse("GC")?;
    let answer = spy.watch(collect(stage, &[])).run()?;
    answer.fails("the IPAM plugin's GC fails, and GC succeeds")
}
