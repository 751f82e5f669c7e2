use super::*;
use crate::doctor::Severity;

fn facts(ready: bool, running: bool, table: bool) -> PolicyFacts {
    PolicyFacts {
        ready,
        running: Ok(running),
        table: Ok(table),
    }
}

#[test]
fn each_fault_of_the_enforcement_is_found() {
    let ready = "there is no /run/flatland/policy.ready";
    let running = "flatland-policy does not run (/run/flatland/policy.lock is not locked)";
    let table = "table inet flatland-policy is missing in the kernel";
    for (facts, expected) in [
        (facts(false, true, false), &[ready][..]),
        (facts(false, false, false), &[ready, running]),
        (facts(true, false, true), &[running]),
        (facts(true, true, false), &[table]),
        (facts(true, false, false), &[running, table]),
    ] {
        let findings = examine(&facts);
        assert_eq!(findings.len(), expected.len(), "{findings:?}");
        for (finding, evidence) in findings.iter().zip(expected) {
            finding.assert(Severity::Broken, evidence, "flatland-policy");
        }
    }
}

#[test]
fn enforcement_in_place_is_ok_and_unreadable_facts_are_unknown() {
    let text = "flatland-policy runs, and table inet flatland-policy is in the kernel";
    let [finding] = &examine(&facts(true, true, true))[..] else {
        panic!("one finding");
    };
    finding.assert(Severity::Ok, text, "");
    let unreadable = PolicyFacts {
        ready: true,
        running: Err("denied".to_owned()),
        table: Err("no nftables".to_owned()),
    };
    let findings = examine(&unreadable);
    findings[0].assert(Severity::Unknown, "denied", "");
    findings[1].assert(Severity::Unknown, "table inet flatland-policy: no nft", "");
}

#[test]
fn table_without_a_policy_section_is_found() {
    assert_eq!(examine_unused(&facts(false, false, false)), []);
    let cure = "nft delete table inet flatland-policy";
    let closes = "it closes each pod";
    examine_unused(&facts(true, false, true))[0].assert(Severity::Broken, closes, cure);
    examine_unused(&facts(true, true, true))[0].assert(Severity::Warning, closes, cure);
}
