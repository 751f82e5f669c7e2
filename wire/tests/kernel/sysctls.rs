//! Kernel settings (sysctls), against the kernel.

use std::io::ErrorKind;

use wire::sysctl;

use crate::support::netns;

const FORWARD: &str = "net/ipv4/ip_forward";

#[test]
fn setting_is_set_once_and_only_in_the_namespace() {
    let namespace = netns();
    let outside = sysctl::read(FORWARD).unwrap();

    let inside = namespace.run(|| {
        [
            sysctl::read(FORWARD).unwrap() == "1",
            sysctl::ensure(FORWARD, "1").unwrap(),
            sysctl::ensure(FORWARD, "1").unwrap(),
            sysctl::read(FORWARD).unwrap() == "1",
        ]
    });

    assert_eq!(inside.unwrap(), [false, true, false, true]);
    assert_eq!(sysctl::read(FORWARD).unwrap(), outside);
}

#[test]
fn missing_setting_is_named() {
    let error = sysctl::ensure("net/ipv4/no_such_setting", "1").unwrap_err();

    assert_eq!(error.kind(), ErrorKind::NotFound);
    let text = error.to_string();
    assert!(
        text.starts_with("cannot read the kernel setting net/ipv4/no_such_setting"),
        "{text}"
    );
}

#[test]
fn refused_value_is_named() {
    let refused = netns().run(|| sysctl::ensure(FORWARD, "perhaps")).unwrap();

    let text = refused.unwrap_err().to_string();
    let start = "cannot set to perhaps the kernel setting net/ipv4/ip_forward: Invalid argument";
    assert!(text.starts_with(start), "{text}");
}
