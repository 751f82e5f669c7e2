use super::*;

#[test]
fn version_parses_back_and_later_is_greater() {
    for pair in CniVersion::ALL.windows(2) {
        assert!(pair[0] < pair[1]);
    }
    for version in CniVersion::ALL {
        assert_eq!(version.to_string().parse(), Ok(version));
    }
}

#[test]
fn unknown_version_is_refused_and_named() {
    let refused = "2.0.0".parse::<CniVersion>().unwrap_err();
    assert!(refused.to_string().contains("2.0.0"), "{refused}");
}
