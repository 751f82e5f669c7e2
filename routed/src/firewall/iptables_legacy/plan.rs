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
pub(in crate::firewall) fn advice(program: &str, pod_cidrs: &[IpNet]) -> String {
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
mod tests;
