use super::*;
use crate::doctor::Severity;
use crate::firewall::BlockingChain;

#[test]
fn dropping_chain_is_broken_unless_pods_pass() {
    let survey = |passes| Survey {
        blocking_chains: vec![BlockingChain {
            chain: "FORWARD of table ip filter".into(),
            passes,
            fix: "iptables -A".into(),
        }],
        ..Survey::default()
    };
    let text = "FORWARD of table ip filter drops";
    let found = examine(&survey(false));
    found[0].assert(Severity::Broken, text, "iptables -A");
    examine(&survey(true))[0].assert(Severity::Ok, text, "");
    let unreadable = Survey {
        hidden: vec!["only iptables-legacy can show".into()],
        ..Survey::default()
    };
    examine(&unreadable)[0].assert(Severity::Unknown, "only iptables-legacy", "");
    examine(&Survey::default())[0].assert(Severity::Ok, "no chain", "");
}
