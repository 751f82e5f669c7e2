use super::*;

const FROM: &str = "-s 10.244.0.0/16 -m comment --comment \"flatland: pods\" -j ACCEPT";
const TO: &str = "-d 10.244.0.0/16 -m comment --comment \"flatland: pods\" -j ACCEPT";

fn planned(policy: &str, rules: &[&str]) -> (bool, Vec<String>) {
    let policy = format!("-P FORWARD {policy}");
    let listing = [vec![policy], arguments("-A FORWARD", rules)].concat();
    let LegacyPlan { drops, commands } =
        plan(&listing.join("\n"), &["10.244.0.0/16".parse().unwrap()]);
    (
        drops,
        commands
            .iter()
            .map(|arguments| as_listed(arguments))
            .collect(),
    )
}

fn arguments(verb: &str, rules: &[&str]) -> Vec<String> {
    let text = |rule: &&str| format!("{verb} {rule}");
    rules.iter().map(text).collect()
}

#[test]
fn chain_without_drop_of_everything_is_left_alone() {
    let rules = ["-d 172.17.0.0/16 -j DROP", "-j KUBE-FORWARD"];
    assert_eq!(planned("ACCEPT", &rules), (false, vec![]));
}

#[test]
fn rules_are_appended_if_policy_drops() {
    let expected = arguments("-A FORWARD", &[FROM, TO]);
    assert_eq!(planned("DROP", &["-j KUBE-FORWARD"]), (true, expected));
}

#[test]
fn rules_are_inserted_before_rule_that_drops_everything() {
    for blocking_rule in ["-j DROP", "-j REJECT --reject-with icmp-host-prohibited"] {
        let expected = vec![format!("-I FORWARD 2 {FROM}"), format!("-I FORWARD 3 {TO}")];
        let rules = ["-j DOCKER-USER", blocking_rule, "-j LATE"];
        assert_eq!(planned("ACCEPT", &rules), (true, expected));
    }
}

#[test]
fn rules_in_place_stay() {
    for rules in [
        &[FROM, TO][..],
        &["-j A", FROM, "-j B", TO, "-j C"],
        &[FROM, TO, "-j DROP"],
    ] {
        assert_eq!(planned("DROP", rules), (true, vec![]), "{rules:?}");
    }
}

#[test]
fn misplaced_or_wrong_rules_are_replaced() {
    let deleted = |numbers: &[u8]| -> Vec<String> {
        let delete = |number: &u8| format!("-D FORWARD {number}");
        numbers.iter().map(delete).collect()
    };
    let inserted = vec![format!("-I FORWARD 2 {FROM}"), format!("-I FORWARD 3 {TO}")];
    assert_eq!(
        planned("DROP", &["-j A", FROM, "-j DROP", TO]).1,
        [deleted(&[4, 2]), inserted].concat()
    );
    let appended = arguments("-A FORWARD", &[FROM, TO]);
    let other = FROM.replace("10.244", "10.9");
    assert_eq!(
        planned("DROP", &[&other, TO]).1,
        [deleted(&[2, 1]), appended.clone()].concat()
    );
    assert_eq!(planned("DROP", &[TO]).1, [deleted(&[1]), appended].concat());
}

#[test]
fn rules_are_removed_when_chain_stops_dropping() {
    let expected = arguments("-D FORWARD", &["3", "1"]);
    assert_eq!(planned("ACCEPT", &[FROM, "-j A", TO]), (false, expected));
}
