use super::*;

#[test]
fn status_error_is_code_50_and_keeps_its_advice() {
    for (code, expected, msg) in [
        (code::INVALID_CONFIG, 50, "ADD would fail: no uplink"),
        (code::UNAVAILABLE, 50, "no uplink"),
        (code::LIMITED_CONNECTIVITY, 51, "no uplink"),
    ] {
        let error = unavailable(Error::new(code, "no uplink").advise("set `mtu`"));
        assert_eq!(
            (error.code, error.msg.as_str(), error.details.as_str()),
            (expected, msg, "set `mtu`")
        );
    }
}
