use super::*;
use crate::doctor::Severity;
use crate::packet_paths::PathFault;

#[test]
fn each_culprit_is_a_finding_and_marks_are_no_fault() {
    let fault = |text: &str| PathFault {
        text: text.to_owned(),
        fix: "remove it".to_owned(),
    };
    let found = examine(Examined {
        queries: 4,
        faults: vec![fault("one"), fault("two")],
        remarks: vec![fault("three")],
        marked: Vec::new(),
    });
    found[0].assert(Severity::Broken, "one", "remove it");
    found[1].assert(Severity::Broken, "two", "remove it");
    found[2].assert(Severity::Warning, "three", "remove it");
    let marked = examine(Examined {
        queries: 4,
        marked: vec!["packets with mark 0x10".to_owned()],
        ..Examined::default()
    });
    marked[0].assert(
        Severity::Ok,
        "all 4 packets as the routes say; packets with",
        "",
    );
    examine(Examined::default())[0].assert(Severity::Ok, "no routes of Flatland yet", "");
}
