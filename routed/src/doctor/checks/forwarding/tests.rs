use super::*;
use crate::doctor::Severity;

fn setting(value: Result<&str, &str>) -> Setting {
    Setting {
        name: "net/ipv4/ip_forward".to_owned(),
        value: value.map(str::to_owned).map_err(str::to_owned),
    }
}

#[test]
fn forwarding_that_is_off_or_unreadable_is_broken() {
    let fix = "sysctl -w net.ipv4.ip_forward=1";
    for (value, severity, evidence, fix) in [
        (Ok("1"), Severity::Ok, "ip_forward = 1", ""),
        (Ok("2"), Severity::Ok, "ip_forward = 2", ""),
        (Ok("0"), Severity::Broken, "ip_forward = 0", fix),
        (
            Err("no such setting"),
            Severity::Broken,
            "no such setting",
            fix,
        ),
    ] {
        examine(&[setting(value)], &[]).assert(severity, evidence, fix);
    }
}

#[test]
fn link_that_does_not_forward_is_broken_and_a_deaf_one_a_warning() {
    let link = || "eth0.100".to_owned();
    let off = Drift::Forwarding { link: link() };
    let deaf = Drift::Advertisements {
        index: 2,
        link: link(),
    };
    let (on, evidence) = ([setting(Ok("1"))], "net.ipv4.conf.eth0/100.forwarding = 0");
    let fix = "sysctl -w net.ipv4.conf.eth0/100.forwarding=1";
    examine(&on, std::slice::from_ref(&off)).assert(Severity::Broken, evidence, fix);
    let fix = "sysctl -w net.ipv6.conf.eth0/100.accept_ra=2";
    let evidence = "eth0.100 ignores router advertisements";
    examine(&on, std::slice::from_ref(&deaf)).assert(Severity::Warning, evidence, fix);
    examine(&on, &[off.clone(), deaf]).assert(Severity::Broken, evidence, fix);
    let all = "sysctl -w net.ipv4.ip_forward=1";
    examine(&[setting(Ok("0"))], &[off]).assert(Severity::Broken, "ip_forward = 0", all);
}
