//! Section 2, "Parameters" and "Errors".

use super::{EVERY, FIRST, INTERFACE, Row};
use crate::conformance::spec::Spec;
use crate::conformance::testbed::Testbed;
use crate::conformance::verdict::{Judged, ensure};

const PARAMETERS: &str = "2 Parameters";
const ERRORS: &str = "2 Errors";

pub(super) const ROWS: &[Row] = &[
    Row::must(
        "command-missing",
        PARAMETERS,
        EVERY,
        "refuses to be called without CNI_COMMAND",
        command_missing,
    ),
    Row::must(
        "command-unknown",
        PARAMETERS,
        EVERY,
        "refuses an unknown CNI_COMMAND",
        command_unknown,
    ),
    Row::must(
        "command-of-version",
        PARAMETERS,
        EVERY,
        "refuses a CNI_COMMAND that its cniVersion lacks",
        command_of_version,
    ),
    Row::must(
        "id-alphabet",
        PARAMETERS,
        EVERY,
        "refuses a CNI_CONTAINERID outside of the alphabet",
        id_alphabet,
    ),
    Row::must(
        "id-accepted",
        PARAMETERS,
        FIRST,
        "accepts every character of the alphabet in a CNI_CONTAINERID",
        id_accepted,
    ),
    Row::must(
        "ifname-unusable",
        PARAMETERS,
        INTERFACE,
        "refuses an invalid CNI_IFNAME",
        ifname_unusable,
    ),
    Row::must(
        "ifname-used",
        PARAMETERS,
        INTERFACE,
        "gives the interface the name in CNI_IFNAME",
        ifname_used,
    ),
    Row::must(
        "exit-success",
        ERRORS,
        EVERY,
        "exits with 0 on success",
        exit_success,
    ),
    Row::must(
        "exit-failure",
        ERRORS,
        EVERY,
        "exits with another status on failure",
        exit_failure,
    ),
];

fn command_missing(testbed: &Testbed<'_>) -> Judged {
    let answer = testbed.add()?.without("CNI_COMMAND").run()?;
    answer.fails("there is no CNI_COMMAND, and the call succeeds")
}

fn command_unknown(testbed: &Testbed<'_>) -> Judged {
    for command in ["ATTACH", "add"] {
        let answer = testbed.pod()?.call(command).run()?;
        answer.fails(&format!("CNI_COMMAND={command:?} is taken"))?;
    }
    Ok(())
}

fn command_of_version(testbed: &Testbed<'_>) -> Judged {
    let pod = testbed.pod()?;
    let result = pod.attach()?;
    let commands = [
        ("CHECK", Spec::V0_4_0),
        ("STATUS", Spec::V1_1_0),
        ("GC", Spec::V1_1_0),
    ];
    for (command, since) in commands {
        for version in testbed.versions.iter().filter(|version| **version < since) {
            let call = pod.call(command).with_version(*version).after(&result);
            let call = call.key("cni.dev/valid-attachments", serde_json::json!([]));
            call.run()?.fails(&format!(
                "{version} has no {command}, and the call succeeds"
            ))?;
        }
    }
    Ok(())
}

fn id_alphabet(testbed: &Testbed<'_>) -> Judged {
    for id in ["../id", "a/b", "-id", "_id", ".id", "i d", "i:d"] {
        let answer = testbed.add()?.with("CNI_CONTAINERID", id).run()?;
        answer.fails(&format!("CNI_CONTAINERID={id:?} is taken"))?;
    }
    Ok(())
}

fn id_accepted(testbed: &Testbed<'_>) -> Judged {
    // As long as those of containerd and CRI-O.
    for id in ["9.Id_of-it", &"0123456789abcdef".repeat(4)] {
        let answer = testbed.add()?.with("CNI_CONTAINERID", id).run()?;
        answer.succeeds("a CNI_CONTAINERID of the alphabet is refused")?;
    }
    Ok(())
}

fn ifname_unusable(testbed: &Testbed<'_>) -> Judged {
    // Names that dev_valid_name() in the kernel's net/core/dev.c refuses, and a pattern that the
    // kernel would expand to another name.
    for name in [".", "..", "a/b", "a b", "a:b", "sixteen-letters-", "eth%d"] {
        let pod = testbed.pod()?;
        let answer = pod.call("ADD").with("CNI_IFNAME", name).run()?;
        answer.fails(&format!("CNI_IFNAME={name:?} is taken"))?;
        let links = pod.links()?;
        ensure(links.len() == 1, || {
            answer.with_evidence(&format!("an interface is left behind: {links:?}"))
        })?;
    }
    Ok(())
}

fn ifname_used(testbed: &Testbed<'_>) -> Judged {
    for name in ["net1", "fifteen-letters"] {
        let pod = testbed.pod()?.with_interface(name);
        pod.attach()?;
        pod.is_attached()?;
    }
    Ok(())
}

fn exit_success(testbed: &Testbed<'_>) -> Judged {
    let pod = testbed.pod()?;
    let result = pod.attach()?;
    pod.detach(&result)
}

fn exit_failure(testbed: &Testbed<'_>) -> Judged {
    for (why, answer) in super::errors::provoke(testbed)? {
        answer.fails(&format!("{why}, and the plugin exits with 0"))?;
    }
    Ok(())
}
