use super::*;

#[test]
fn fix_is_below_the_line_of_its_check() {
    let finding = |check, severity, fix: Option<&str>| Finding {
        check,
        severity,
        evidence: "as seen".into(),
        fix: fix.map(Into::into),
    };
    let findings = [
        finding("MTU", Severity::Ok, None),
        finding("etcd", Severity::Broken, Some("start it")),
    ];
    let expected = "\
ok       MTU: as seen
broken   etcd: as seen
         start it

1 broken, 0 warnings";
    assert_eq!(render(&findings, Terminal::PIPE), expected);
}
