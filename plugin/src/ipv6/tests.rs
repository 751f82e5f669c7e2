use super::*;

#[test]
fn failure_names_link_and_setting() {
    let error = enable(&["no-such-link"]).unwrap_err();
    for part in [
        "IPv6 is disabled on no-such-link",
        "net/ipv6/conf/no-such-link/disable_ipv6",
    ] {
        assert!(error.msg.contains(part), "{part}: {error}");
    }
}
