//! Section 4, "Plugin Delegation", and what section 2 says about it. A wrapper in front of the IPAM
//! plugin records the delegated calls.

use super::gc::collect;
use super::{CALLED, INTERFACE, Row};
use crate::conformance::ipam_wrapper::{IpamWrapper, RecordedCall, STDERR_MARKER};
use crate::conformance::spec::Spec;
use crate::conformance::testbed::Testbed;
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
        "frees the address when its own ADD fails",
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

/// The one call that the wrapper has recorded.
fn only(wrapper: &IpamWrapper<'_>, command: &str) -> Judged<RecordedCall> {
    let mut seen = wrapper.recorded_calls()?;
    match seen.pop() {
        Some(last) if seen.is_empty() && last.command == command => Ok(last),
        other => fail(format!(
            "expected one call of the IPAM plugin, {command}, instead of {other:?}"
        )),
    }
}

fn environment(testbed: &Testbed<'_>) -> Judged {
    let wrapper = IpamWrapper::install(testbed)?;
    let call = wrapper.wrap(testbed.add()?);
    let call = call
        .with("CNI_ARGS", "IgnoreUnknown=1;FOO=BAR")
        .with("UNRELATED", "to be kept");
    let sent = call.variables().clone();
    call.run()?.succeeds("ADD fails")?;
    let got = only(&wrapper, "ADD")?.environment;
    for (name, value) in sent {
        let line = format!("{name}={value}");
        ensure(got.contains(&line), || {
            format!("the IPAM plugin did not get {line}, but {got:?}")
        })?;
    }
    Ok(())
}

fn config(testbed: &Testbed<'_>) -> Judged {
    let wrapper = IpamWrapper::install(testbed)?;
    let call = wrapper.wrap(testbed.add()?);
    let sent = call.config().clone();
    call.run()?.succeeds("ADD fails")?;
    let got = RecordedCall::json(&only(&wrapper, "ADD")?.stdin)?;
    ensure(got == sent, || {
        format!("the IPAM plugin got {got} instead of {sent}")
    })
}

fn path(testbed: &Testbed<'_>) -> Judged {
    let wrapper = IpamWrapper::install(testbed)?;
    wrapper.wrap(testbed.add()?).run()?.succeeds("ADD fails")?;
    only(&wrapper, "ADD")?;
    let elsewhere = testbed.add()?.with("CNI_PATH", "/opt/cni/nothing");
    elsewhere
        .run()?
        .fails("the IPAM plugin is not in CNI_PATH, and ADD succeeds")
}

fn stderr(testbed: &Testbed<'_>) -> Judged {
    let wrapper = IpamWrapper::install(testbed)?;
    let answer = wrapper.wrap(testbed.add()?).run()?;
    answer.succeeds("ADD fails")?;
    ensure(answer.stderr.contains(STDERR_MARKER), || {
        answer.with_evidence(&format!("{STDERR_MARKER:?} is not on standard error"))
    })
}

fn add_fails(testbed: &Testbed<'_>) -> Judged {
    let wrapper = IpamWrapper::install(testbed)?;
    wrapper.fail_on("ADD")?;
    let answer = wrapper.wrap(testbed.add()?).run()?;
    answer.fails("the IPAM plugin's ADD fails, and ADD succeeds")
}

fn add_undone(testbed: &Testbed<'_>) -> Judged {
    let wrapper = IpamWrapper::install(testbed)?;
    wrapper.fail_on("ADD")?;
    wrapper.wrap(testbed.add()?).run()?;
    let seen = wrapper.commands()?;
    ensure(seen == ["ADD", "DEL"], || {
        format!("expected calls of the IPAM plugin for ADD and then DEL, instead of {seen:?}")
    })
}

fn add_left(testbed: &Testbed<'_>) -> Judged {
    let wrapper = IpamWrapper::install(testbed)?;
    let pod = testbed.pod()?;
    pod.ip(&["link", "add", &pod.interface, "type", "bridge"])?;
    let answer = wrapper.wrap(pod.call("ADD")).run()?;
    answer.fails("an interface of that name exists")?;
    let seen = wrapper.commands()?;
    ensure(
        seen.is_empty() || seen.ends_with(&["DEL".to_owned()]),
        || format!("expected DEL as the last call of the IPAM plugin, instead of {seen:?}"),
    )
}

fn del(testbed: &Testbed<'_>) -> Judged {
    let pod = testbed.pod()?;
    let result = pod.attach()?;
    let wrapper = IpamWrapper::install(testbed)?;
    wrapper
        .wrap(pod.del().after(&result))
        .run()?
        .succeeds("DEL fails")?;
    only(&wrapper, "DEL").map(drop)
}

fn del_error(testbed: &Testbed<'_>) -> Judged {
    let pod = testbed.pod()?;
    let result = pod.attach()?;
    let wrapper = IpamWrapper::install(testbed)?;
    wrapper.fail_on("DEL")?;
    let answer = wrapper.wrap(pod.del().after(&result)).run()?;
    answer.fails("the IPAM plugin's DEL fails, and DEL succeeds")
}

fn del_gone(testbed: &Testbed<'_>) -> Judged {
    let pod = testbed.pod()?;
    let result = pod.attach()?;
    let wrapper = IpamWrapper::install(testbed)?;
    pod.delete_netns()?;
    wrapper
        .wrap(pod.del().after(&result))
        .run()?
        .succeeds("DEL fails")?;
    only(&wrapper, "DEL").map(drop)
}

fn check(testbed: &Testbed<'_>) -> Judged {
    let pod = testbed.pod()?;
    let result = pod.attach()?;
    let wrapper = IpamWrapper::install(testbed)?;
    wrapper.wrap(pod.call("CHECK").after(&result)).run()?;
    only(&wrapper, "CHECK").map(drop)
}

fn check_error(testbed: &Testbed<'_>) -> Judged {
    let pod = testbed.pod()?;
    let result = pod.attach()?;
    let wrapper = IpamWrapper::install(testbed)?;
    wrapper.fail_on("CHECK")?;
    let answer = wrapper.wrap(pod.call("CHECK").after(&result)).run()?;
    answer.fails("the IPAM plugin's CHECK fails, and CHECK succeeds")
}

fn status(testbed: &Testbed<'_>) -> Judged {
    let wrapper = IpamWrapper::install(testbed)?;
    wrapper.wrap(testbed.call("STATUS")).run()?;
    only(&wrapper, "STATUS").map(drop)
}

fn status_error(testbed: &Testbed<'_>) -> Judged {
    let wrapper = IpamWrapper::install(testbed)?;
    wrapper.fail_on("STATUS")?;
    let answer = wrapper.wrap(testbed.call("STATUS")).run()?;
    answer.fails("the IPAM plugin's STATUS fails, and STATUS succeeds")
}

fn gc(testbed: &Testbed<'_>) -> Judged {
    let wrapper = IpamWrapper::install(testbed)?;
    wrapper.wrap(collect(testbed, &[])).run()?;
    only(&wrapper, "GC").map(drop)
}

fn gc_error(testbed: &Testbed<'_>) -> Judged {
    let wrapper = IpamWrapper::install(testbed)?;
    wrapper.fail_on("GC")?;
    let answer = wrapper.wrap(collect(testbed, &[])).run()?;
    answer.fails("the IPAM plugin's GC fails, and GC succeeds")
}
