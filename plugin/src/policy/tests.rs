use super::*;

#[test]
fn missing_rules_are_code_11_with_the_program_and_the_cure() {
    let error = decide(false).unwrap_err();
    assert_eq!(error.code, code::TRY_AGAIN);
    assert!(error.msg.starts_with("flatland-policy "), "{error}");
    assert!(error.msg.contains("/run/flatland/policy.ready"), "{error}");
    assert!(error.details.contains("start flatland-policy"), "{error}");
    assert_eq!(decide(true), Ok(()));
}
