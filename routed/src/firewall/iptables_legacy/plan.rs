//! Plans changes of an iptables-legacy chain from the output of `iptables -S FORWARD`.

use ipnet::IpNet;

use crate::firewall::forward::{CHAIN, COMMENT};

/// The plan for a chain.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct LegacyPlan {
    /// Whether the chain drops pods' packets without our rules.
    pub(super) drops: bool,
    /// The arguments of the commands, in order.
    pub(super) commands: Vec<Vec<String>>,
}

/// Plans the commands. Our rules belong at the end of a chain whose policy drops, or right before
/// the rule that drops everything.
pub(super) fn plan(listing: &str, pod_cidrs: &[IpNet]) -> LegacyPlan {
    let append = format!("-A {CHAIN} ");
    let rules: Vec<&str> = listing
        .lines()
        .filter_map(|line| line.strip_prefix(&append))
        .collect();
    let policy_drops = listing
        .lines()
        .any(|line| line == format!("-P {CHAIN} DROP"));
    let is_blocking_rule = |rule: &&str| *rule == "-j DROP" || rule.starts_with("-j REJECT");
    let blocking_rule = rules.iter().position(is_blocking_rule);
    let drops = policy_drops || blocking_rule.is_some();

    let is_ours = |rule: &str| rule.contains(&format!("--comment \"{COMMENT}\""));
    let ours: Vec<usize> = (0..rules.len()).filter(|n| is_ours(rules[*n])).collect();
    let wanted: Vec<Vec<String>> = if drops {
        rule_arguments(pod_cidrs)
    } else {
        Vec::new()
    };
    let last = ours.last().copied();
    let in_place = last.is_none_or(|last| blocking_rule.is_none_or(|rule| last < rule));
    let is_same = ours
        .iter()
        .map(|n| rules[*n].to_owned())
        .eq(wanted.iter().map(|arguments| as_listed(arguments)));
    let mut commands = Vec::new();
    if !(is_same && in_place) {
        // From the last to the first, so that the numbers of the others stay.
        let delete = |n: &usize| vec!["-D".to_owned(), CHAIN.to_owned(), (n + 1).to_string()];
        commands.extend(ours.iter().rev().map(delete));
        let before = |index: usize| ours.iter().filter(|n| **n < index).count();
        let first = blocking_rule.map(|index| index - before(index) + 1);
        for (n, arguments) in wanted.into_iter().enumerate() {
            let place = match first {
                Some(first) => vec!["-I".to_owned(), CHAIN.to_owned(), (first + n).to_string()],
                None => vec!["-A".to_owned(), CHAIN.to_owned()],
            };
            commands.push([place, arguments].concat());
        }
    }
    LegacyPlan { drops, commands }
}

/// The commands to run by hand, for a shell.
pub(super) fn advice(program: &str, pod_cidrs: &[IpNet]) -> String {
    let each = rule_arguments(pod_cidrs)
        .into_iter()
        .map(|arguments| format!("{program} -A {CHAIN} {}", as_listed(&arguments)));
    each.collect::<Vec<_>>().join(" && ")
}

/// The arguments of our rules.
fn rule_arguments(pod_cidrs: &[IpNet]) -> Vec<Vec<String>> {
    let ends = pod_cidrs
        .iter()
        .flat_map(|cidr| ["-s", "-d"].map(|end| (end, cidr.to_string())));
    ends.map(|(end, cidr)| {
        let arguments = [end, &cidr, "-m", "comment", "--comment", COMMENT, "-j"];
        let arguments = arguments.into_iter().chain(["ACCEPT"]);
        arguments.map(str::to_owned).collect()
    })
    .collect()
}

/// The arguments as iptables lists them.
fn as_listed(arguments: &[String]) -> String {
    let quoted = arguments.iter().map(|word| {
        if word.contains(' ') {
            format!("\"{word}\"")
        } else {
            word.clone()
        }
    });
    quoted.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
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
}
