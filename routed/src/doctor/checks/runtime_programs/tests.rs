use super::*;
use crate::doctor::Severity;

#[test]
fn missing_plugins_are_broken_if_they_are_needed() {
    let missing = |chain: &[&str], loopback: Option<&str>| Missing {
        chain: chain.iter().map(Into::into).collect(),
        optional: Vec::new(),
        loopback: loopback.map(Into::into),
    };
    let (broken, fix) = (Severity::Broken, "containernetworking-plugins");
    examine(&missing(&[], None), true).assert(Severity::Ok, "loopback", "");
    examine(&missing(&["/b/flatland"], None), true).assert(Severity::Ok, "loopback", "");
    let portmap = missing(&["/b/flatland", "/b/portmap"], None);
    examine(&portmap, false).assert(broken, "without /b/portmap, which", fix);
    let loopback = missing(&[], Some("/b/loopback"));
    examine(&loopback, true).assert(broken, "without /b/loopback", fix);
    examine(&loopback, false).assert(Severity::Ok, "would need /b/loopback", "");
}
