use super::*;
use crate::doctor::Severity;

fn setting(link: &str, value: &str) -> Setting {
    Setting {
        name: format!("net/ipv4/conf/{link}/rp_filter"),
        value: Ok(value.to_owned()),
    }
}

#[test]
fn loose_filter_is_a_warning_without_the_spoof_guard() {
    let (all, eth0) = (setting("all", "2"), [setting("eth0", "1")]);
    let text = "all.rp_filter = 2";
    examine(&all, &eth0, false).assert(Severity::Warning, text, "nft list table");
    examine(&all, &eth0, true).assert(Severity::Ok, text, "");
}

#[test]
fn strict_filter_on_several_links_is_a_warning() {
    let (all, eth0) = (setting("all", "0"), setting("eth0", "1"));
    let links = [eth0, setting("eth1", "1")];
    examine(&all, &links[..1], false).assert(Severity::Ok, "strict on eth0", "");
    examine(&all, &links, false).assert(Severity::Warning, "strict on eth0, eth1", "loose");
}
