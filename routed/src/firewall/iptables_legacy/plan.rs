//! What `iptables -S FORWARD` says, and what to tell iptables then.

use ipnet::IpNet;

use crate::firewall::forward::{CHAIN, COMMENT};

/// What a chain needs.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct LegacyPlan {
    /// Whether it would drop pods' packets without our rules.
    pub(super) drops: bool,
    /// The words of the commands, in order.
    pub(super) commands: Vec<Vec<String>>,
}

/// Our rules stand at the end of a chain whose policy drops, or right before the rule that drops
/// everything, and nowhere else.
pub(super) fn plan(listing: &str, pod_cidrs: &[IpNet]) -> LegacyPlan {
    let append = format!("-A {CHAIN} ");
    let rules: Vec<&str> = listing
        .lines()
        .filter_map(|line| line.strip_prefix(&append))
        .collect();
    let policy_drops = listing
        .lines()
        .any(|line| line == format!("-P {CHAIN} DROP"));
    let is_wall = |rule: &&str| *rule == "-j DROP" || rule.starts_with("-j REJECT");
    let wall = rules.iter().position(is_wall);
    let drops = policy_drops || wall.is_some();

    let is_ours = |rule: &str| rule.contains(&format!("--comment \"{COMMENT}\""));
    let ours: Vec<usize> = (0..rules.len()).filter(|n| is_ours(rules[*n])).collect();
    let wanted: Vec<Vec<String>> = if drops { specs(pod_cidrs) } else { Vec::new() };
    let last = ours.last().copied();
    let in_place = last.is_none_or(|last| wall.is_none_or(|wall| last < wall));
    let is_same = ours
        .iter()
        .map(|n| rules[*n].to_owned())
        .eq(wanted.iter().map(|words| listed(words)));
    let mut commands = Vec::new();
    if !(is_same && in_place) {
        // The last first: the numbers of the others stay.
        let delete = |n: &usize| vec!["-D".to_owned(), CHAIN.to_owned(), (n + 1).to_string()];
        commands.extend(ours.iter().rev().map(delete));
        let before = |wall: usize| ours.iter().filter(|n| **n < wall).count();
        let first = wall.map(|wall| wall - before(wall) + 1);
        for (n, words) in wanted.into_iter().enumerate() {
            let place = match first {
                Some(first) => vec!["-I".to_owned(), CHAIN.to_owned(), (first + n).to_string()],
                None => vec!["-A".to_owned(), CHAIN.to_owned()],
            };
            commands.push([place, words].concat());
        }
    }
    LegacyPlan { drops, commands }
}

/// What to do by hand, as commands for a shell.
pub(super) fn advice(program: &str, pod_cidrs: &[IpNet]) -> String {
    let each = specs(pod_cidrs)
        .into_iter()
        .map(|words| format!("{program} -A {CHAIN} {}", listed(&words)));
    each.collect::<Vec<_>>().join(" && ")
}

/// The words of our rules.
fn specs(pod_cidrs: &[IpNet]) -> Vec<Vec<String>> {
    let ends = pod_cidrs
        .iter()
        .flat_map(|cidr| ["-s", "-d"].map(|end| (end, cidr.to_string())));
    ends.map(|(end, cidr)| {
        let words = [end, &cidr, "-m", "comment", "--comment", COMMENT, "-j"];
        let words = words.into_iter().chain(["ACCEPT"]);
        words.map(str::to_owned).collect()
    })
    .collect()
}

/// The words as iptables lists them.
fn listed(words: &[String]) -> String {
    let quoted = words.iter().map(|word| {
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
        let listing = [vec![policy], words("-A FORWARD", rules)].concat();
        let LegacyPlan { drops, commands } =
            plan(&listing.join("\n"), &["10.244.0.0/16".parse().unwrap()]);
        (drops, commands.iter().map(|words| listed(words)).collect())
    }

    fn words(verb: &str, rules: &[&str]) -> Vec<String> {
        let text = |rule: &&str| format!("{verb} {rule}");
        rules.iter().map(text).collect()
    }

    #[test]
    fn a_chain_that_drops_nothing_by_itself_is_left_alone() {
        let rules = ["-d 172.17.0.0/16 -j DROP", "-j KUBE-FORWARD"];
        assert_eq!(planned("ACCEPT", &rules), (false, vec![]));
    }

    #[test]
    fn pods_are_accepted_after_all_other_rules_where_the_policy_drops() {
        let expected = words("-A FORWARD", &[FROM, TO]);
        assert_eq!(planned("DROP", &["-j KUBE-FORWARD"]), (true, expected));
    }

    #[test]
    fn pods_are_accepted_right_before_the_rule_that_drops_everything() {
        for wall in ["-j DROP", "-j REJECT --reject-with icmp-host-prohibited"] {
            let expected = vec![format!("-I FORWARD 2 {FROM}"), format!("-I FORWARD 3 {TO}")];
            let rules = ["-j DOCKER-USER", wall, "-j LATE"];
            assert_eq!(planned("ACCEPT", &rules), (true, expected));
        }
    }

    #[test]
    fn rules_that_are_in_place_stay() {
        for rules in [
            &[FROM, TO][..],
            &["-j A", FROM, "-j B", TO, "-j C"],
            &[FROM, TO, "-j DROP"],
        ] {
            assert_eq!(planned("DROP", rules), (true, vec![]), "{rules:?}");
        }
    }

    #[test]
    fn rules_that_are_misplaced_or_not_quite_right_are_made_anew() {
        let deleted = |numbers: &[u8]| -> Vec<String> {
            let delete = |number: &u8| format!("-D FORWARD {number}");
            numbers.iter().map(delete).collect()
        };
        let inserted = vec![format!("-I FORWARD 2 {FROM}"), format!("-I FORWARD 3 {TO}")];
        assert_eq!(
            planned("DROP", &["-j A", FROM, "-j DROP", TO]).1,
            [deleted(&[4, 2]), inserted].concat()
        );
        let appended = words("-A FORWARD", &[FROM, TO]);
        let other = FROM.replace("10.244", "10.9");
        assert_eq!(
            planned("DROP", &[&other, TO]).1,
            [deleted(&[2, 1]), appended.clone()].concat()
        );
        assert_eq!(planned("DROP", &[TO]).1, [deleted(&[1]), appended].concat());
    }

    #[test]
    fn our_rules_go_with_the_reason_for_them() {
        let expected = words("-D FORWARD", &["3", "1"]);
        assert_eq!(planned("ACCEPT", &[FROM, "-j A", TO]), (false, expected));
    }
}
