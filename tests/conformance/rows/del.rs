//! Section 2, "DEL".

use super::{CALLED, EVERY, FIRST, INTERFACE, Row};
use crate::conformance::testbed::Testbed;
use crate::conformance::verdict::{Judged, ensure, fail};

const DEL: &str = "2 DEL";

pub(super) const ROWS: &[Row] = &[
    Row::should(
        "del-removes",
        DEL,
        INTERFACE,
        "removes the interface, and no other",
        removes,
    ),
    Row::should(
        "del-frees",
        DEL,
        FIRST,
        "frees what the container had reserved",
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
        "frees reservations when the namespace is gone",
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

fn removes(testbed: &Testbed<'_>) -> Judged {
    let (pod, other) = (testbed.pod()?, testbed.pod()?);
    let result = pod.attach()?;
    other.attach()?;
    let answer = pod.del().after(&result).run()?;
    answer.succeeds("DEL fails")?;
    ensure(pod.link()?.is_none(), || {
        answer.with_evidence("the interface is still in the container")
    })?;
    other.is_attached()
}

fn frees(testbed: &Testbed<'_>) -> Judged {
    let attached = testbed.exhaust()?;
    let (pod, result) = &attached[0];
    pod.detach(result)?;
    testbed
        .pod()?
        .add()?
        .succeeds("after DEL, ADD still finds no free address")
}

fn twice(testbed: &Testbed<'_>) -> Judged {
    let pod = testbed.pod()?;
    let result = pod.attach()?;
    pod.detach(&result)?;
    pod.del()
        .after(&result)
        .run()?
        .succeeds("the second DEL fails")
}

fn unknown(testbed: &Testbed<'_>) -> Judged {
    testbed
        .pod()?
        .del()
        .run()?
        .succeeds("DEL of a container that was never added fails")
}

fn no_prev_result(testbed: &Testbed<'_>) -> Judged {
    let attached = testbed.exhaust()?;
    let (pod, _) = &attached[0];
    pod.del().run()?.succeeds("DEL without prevResult fails")?;
    if !testbed.is_ipam() && pod.link()?.is_some() {
        return fail("DEL without prevResult leaves the interface in the container");
    }
    testbed
        .pod()?
        .add()?
        .succeeds("after DEL without prevResult, ADD still finds no free address")
}

fn no_netns(testbed: &Testbed<'_>) -> Judged {
    let pod = testbed.pod()?;
    let result = pod.attach()?;
    let answer = pod.del().after(&result).without("CNI_NETNS").run()?;
    answer.succeeds("DEL without CNI_NETNS fails")
}

fn netns_gone(testbed: &Testbed<'_>) -> Judged {
    let pod = testbed.pod()?;
    let result = pod.attach()?;
    pod.delete_netns()?;
    let answer = pod.del().after(&result).run()?;
    answer.succeeds("DEL fails when the namespace is gone")
}

fn netns_gone_frees(testbed: &Testbed<'_>) -> Judged {
    let attached = testbed.exhaust()?;
    let (pod, result) = &attached[0];
    pod.delete_netns()?;
    pod.detach(result)?;
    testbed
        .pod()?
        .add()?
        .succeeds("after DEL without a namespace, ADD still finds no free address")
}

fn interface_gone(testbed: &Testbed<'_>) -> Judged {
    let pod = testbed.pod()?;
    let result = pod.attach()?;
    pod.ip(&["link", "del", &pod.interface])?;
    pod.detach(&result)
}

fn environment(testbed: &Testbed<'_>) -> Judged {
    for variable in ["CNI_CONTAINERID", "CNI_IFNAME"] {
        let answer = testbed.pod()?.del().without(variable).run()?;
        answer.fails(&format!("DEL succeeds without {variable}"))?;
    }
    Ok(())
}
