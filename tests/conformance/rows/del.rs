//! Section 2, "DEL".

use super::{CALLED, EVERY, FIRST, INTERFACE, Row};
use crate::conformance::stage::Stage;
use crate::conformance::verdict::{Judged, ensure, fail};

const DEL: &str = "2 DEL";

pub(super) const ROWS: &[Row] = &[
    Row::should(
        "del-removes",
        DEL,
        INTERFACE,
        "takes the interface away, and no other",
        removes,
    ),
    Row::should(
        "del-frees",
        DEL,
        FIRST,
        "gives back what the container held",
        frees,
    ),
    Row::must(
        "del-twice",
        DEL,
        EVERY,
        "succeeds when it is called again",
        twice,
    ),
    Row::must(
        "del-unknown",
        DEL,
        EVERY,
        "succeeds for a container that it never saw",
        unknown,
    ),
    Row::should(
        "del-no-prev-result",
        DEL,
        FIRST,
        "succeeds without prevResult, and does the same",
        no_prev_result,
    ),
    Row::should(
        "del-no-netns",
        DEL,
        EVERY,
        "succeeds without CNI_NETNS",
        no_netns,
    ),
    Row::should(
        "del-netns-gone",
        DEL,
        EVERY,
        "succeeds when the namespace is gone",
        netns_gone,
    ),
    Row::should(
        "del-netns-gone-frees",
        DEL,
        FIRST,
        "gives back what it can when the namespace is gone",
        netns_gone_frees,
    ),
    Row::should(
        "del-interface-gone",
        DEL,
        CALLED,
        "succeeds when the interface is gone",
        interface_gone,
    ),
    Row::must(
        "del-environment",
        DEL,
        EVERY,
        "refuses DEL without a required variable",
        environment,
    ),
];

fn removes(stage: &Stage<'_>) -> Judged {
    let (pod, other) = (stage.pod()?, stage.pod()?);
    let result = pod.attach()?;
    other.attach()?;
    let answer = pod.del().after(&result).run()?;
    answer.succeeds("DEL fails")?;
    ensure(pod.link()?.is_none(), || {
        answer.tell("the interface is still in the container")
    })?;
    other.is_attached()
}

fn frees(stage: &Stage<'_>) -> Judged {
    let attached = stage.exhaust()?;
    let (pod, result) = &attached[0];
    pod.detach(result)?;
    stage
        .pod()?
        .add()?
        .succeeds("after a DEL, ADD still finds nothing left")
}

fn twice(stage: &Stage<'_>) -> Judged {
    let pod = stage.pod()?;
    let result = pod.attach()?;
    pod.detach(&result)?;
    pod.del()
        .after(&result)
        .run()?
        .succeeds("the second DEL fails")
}

fn unknown(stage: &Stage<'_>) -> Judged {
    stage
        .pod()?
        .del()
        .run()?
        .succeeds("DEL of a container that was never added fails")
}

fn no_prev_result(stage: &Stage<'_>) -> Judged {
    let attached = stage.exhaust()?;
    let (pod, _) = &attached[0];
    pod.del().run()?.succeeds("DEL without prevResult fails")?;
    if !stage.is_ipam() && pod.link()?.is_some() {
        return fail("DEL without prevResult leaves the interface in the container");
    }
    stage
        .pod()?
        .add()?
        .succeeds("after a DEL without prevResult, ADD still finds nothing left")
}

fn no_netns(stage: &Stage<'_>) -> Judged {
    let pod = stage.pod()?;
    let result = pod.attach()?;
    let answer = pod.del().after(&result).without("CNI_NETNS").run()?;
    answer.succeeds("DEL without CNI_NETNS fails")
}

fn netns_gone(stage: &Stage<'_>) -> Judged {
    let pod = stage.pod()?;
    let result = pod.attach()?;
    pod.vanish()?;
    let answer = pod.del().after(&result).run()?;
    answer.succeeds("DEL fails when the namespace is gone")
}

fn netns_gone_frees(stage: &Stage<'_>) -> Judged {
    let attached = stage.exhaust()?;
    let (pod, result) = &attached[0];
    pod.vanish()?;
    pod.detach(result)?;
    stage
        .pod()?
        .add()?
        .succeeds("after a DEL without a namespace, ADD still finds nothing left")
}

fn interface_gone(stage: &Stage<'_>) -> Judged {
    let pod = stage.pod()?;
    let result = pod.attach()?;
    pod.ip(&["link", "del", &pod.interface])?;
    pod.detach(&result)
}

fn environment(stage: &Stage<'_>) -> Judged {
    for variable in ["CNI_CONTAINERID", "CNI_IFNAME"] {
        let answer = stage.pod()?.del().without(variable).run()?;
        answer.fails(&format!("DEL does without {variable}"))?;
    }
    Ok(())
}
