use super::*;
use crate::doctor::Severity;

fn status(ready: bool, running: bool) -> PolicyStatus {
    PolicyStatus {
        running: Some(running),
        why: None,
        ready,
    }
}

fn facts(ready: bool, running: bool, table: bool) -> PolicyFacts {
    PolicyFacts {
        status: status(ready, running),
        answer: running.then_some(PolicyReadiness::Ready),
        table: Ok(table),
        kernel: (!table).then_some(Ok(())),
    }
}

#[test]
fn each_fault_of_the_enforcement_is_found() {
    let starting = "has not put its rules into the kernel since the boot: no pod can be added";
    let neither = "flatland-policy is not running, and has not put its rules";
    let away = "flatland-policy is not running: running pods keep their rules";
    let table = "table inet flatland-policy is missing in the kernel";
    for (facts, expected) in [
        (facts(false, true, false), &[starting][..]),
        (facts(false, false, false), &[neither]),
        (facts(true, false, true), &[away]),
        (facts(true, true, false), &[table]),
        (facts(true, false, false), &[away, table]),
    ] {
        let findings = examine(&facts);
        assert_eq!(findings.len(), expected.len(), "{findings:?}");
        for (finding, evidence) in findings.iter().zip(expected) {
            finding.assert(Severity::Broken, evidence, "flatland-policy");
        }
        // Status and doctor say the same.
        assert_eq!(
            facts.status.trouble().as_ref(),
            findings
                .iter()
                .map(|it| &it.evidence)
                .find(|it| it.starts_with("flatland-policy"))
        );
    }
}

#[test]
fn program_that_runs_is_asked_for_its_rules() {
    for (answer, evidence) in [
        (
            PolicyReadiness::NotReady("pods were not read yet".to_owned()),
            "not those of the network policies: pods were not read yet",
        ),
        (
            PolicyReadiness::Silent("no answer in time".to_owned()),
            "flatland-policy runs, but does not answer: no answer in time",
        ),
    ] {
        let findings = examine(&PolicyFacts {
            answer: Some(answer),
            ..facts(true, true, true)
        });
        assert_eq!(findings.len(), 1, "{findings:?}");
        findings[0].assert(Severity::Broken, evidence, "log");
    }
}

#[test]
fn kernel_that_does_not_take_the_rules_is_found_before_the_first_start() {
    let findings = examine(&PolicyFacts {
        kernel: Some(Err("add rule: No such file or directory".to_owned())),
        ..facts(false, false, false)
    });
    assert_eq!(findings.len(), 2, "{findings:?}");
    let evidence = "does not take the rules of network policies: add rule: No such file";
    findings[1].assert(Severity::Broken, evidence, "nft_log");
}

#[test]
fn enforcement_in_place_is_ok_and_unreadable_facts_are_unknown() {
    let text = "flatland-policy runs, and table inet flatland-policy is in the kernel";
    let [finding] = &examine(&facts(true, true, true))[..] else {
        panic!("one finding");
    };
    finding.assert(Severity::Ok, text, "");
    let unreadable = PolicyFacts {
        status: PolicyStatus {
            running: None,
            why: Some("denied".to_owned()),
            ready: true,
        },
        answer: None,
        table: Err("no nftables".to_owned()),
        kernel: None,
    };
    let findings = examine(&unreadable);
    findings[0].assert(Severity::Unknown, "denied", "");
    findings[1].assert(Severity::Unknown, "table inet flatland-policy: no nft", "");
}

#[test]
fn table_without_a_policy_section_is_found() {
    assert_eq!(examine_unused(&status(false, false), &Ok(false)), []);
    let cure = "nft delete table inet flatland-policy";
    let closes = "it closes each pod";
    let there = Ok(true);
    examine_unused(&status(true, false), &there)[0].assert(Severity::Broken, closes, cure);
    examine_unused(&status(true, true), &there)[0].assert(Severity::Warning, closes, cure);
}
