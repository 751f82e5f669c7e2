use super::*;
use crate::doctor::Severity;

#[test]
fn clocks_that_differ_are_a_warning_and_by_far_broken() {
    for (ahead, severity, text) in [
        (1, Severity::Ok, "the same as etcd's"),
        (5, Severity::Ok, "5 s behind etcd's"),
        (-6, Severity::Warning, "6 s ahead of etcd's"),
        (300, Severity::Warning, "300 s behind etcd's"),
        (301, Severity::Broken, "301 s behind etcd's"),
    ] {
        let fix = if severity == Severity::Ok {
            ""
        } else {
            "time service"
        };
        examine(Ok(ahead)).assert(severity, text, fix);
    }
    let unknown = examine(Err("no answer".to_owned()));
    unknown.assert(Severity::Unknown, "no answer", "");
}
