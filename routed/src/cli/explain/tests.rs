use super::*;

fn step(of: &str, link: &'static str, severity: Severity, fix: Option<&str>) -> PathStep {
    PathStep {
        of: of.into(),
        link,
        severity,
        evidence: "as seen".into(),
        fix: fix.map(Into::into),
    }
}

#[test]
fn steps_are_listed_and_the_broken_one_is_named() {
    let steps = [
        step("default/a", "address", Severity::Ok, None),
        step("10.244.9.2", "route", Severity::Broken, Some("repair it")),
    ];
    let expected = "\
default/a
  ok       address: as seen
10.244.9.2
  broken   route: as seen
           repair it

broken: route of 10.244.9.2";
    assert_eq!(render(&steps, Some(&steps[1]), Terminal::PIPE), expected);
    let text = render(&steps[..1], None, Terminal::PIPE);
    assert!(text.ends_with("\n\nnothing is broken, as far as this node can see"));
}
