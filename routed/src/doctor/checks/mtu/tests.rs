use super::*;
use crate::doctor::Severity;

#[test]
fn mtu_larger_than_that_of_the_uplink_is_broken() {
    let eth0 = || Ok(("eth0".to_owned(), 1500));
    let none = || Err("no uplink".to_owned());
    let (ok, broken) = (Severity::Ok, Severity::Broken);
    let text = "says 9000, and eth0 carries 1500";
    for (mtu, uplink, severity, evidence, fix) in [
        (0, eth0(), ok, "1500, that of eth0", ""),
        (1400, eth0(), ok, "1400 of the conflist", ""),
        (9000, eth0(), broken, text, "1500 or less"),
        (0, none(), broken, "no uplink", "--node-address"),
        (1400, none(), Severity::Unknown, "no uplink", ""),
    ] {
        examine(mtu, uplink).assert(severity, evidence, fix);
    }
}
