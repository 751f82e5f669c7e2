//! docs/operations.md explains every message, and every code.

use std::collections::BTreeSet;
use std::fs;

use crate::source::{self, Text};

/// Files whose texts are answers to a question, with what to do beside them; and names of kernel
/// requests, behind which stands what the kernel said.
const NO_MESSAGES: &[&str] = &[
    "ipam/src/claim_main.rs",
    "ipam/src/main.rs",
    "plugin/src/main.rs",
    "routed/src/cli/addresses.rs",
    "routed/src/cli/command.rs",
    "routed/src/cli/doctor.rs",
    "routed/src/cli/explain.rs",
    "routed/src/cli/help.rs",
    "routed/src/cli/nodes.rs",
    "routed/src/cli/routes.rs",
    "routed/src/cli/screen.rs",
    "routed/src/cli/status",
    "routed/src/cli/subnets.rs",
    "routed/src/cli/table.rs",
    "routed/src/doctor",
    "routed/src/explain",
    "routed/src/fib/twin.rs",
    "routed/src/firewall/legacy/plan.rs",
    "routed/src/firewall/ruleset.rs",
    "routed/src/firewall/survey.rs",
    "routed/src/metrics.rs",
    "wire/src/netlink/neighbour.rs",
    "wire/src/netlink/request.rs",
    "wire/src/netlink/rule.rs",
    "wire/src/netlink/socket.rs",
    "wire/src/netlink/subscription.rs",
    "wire/src/netlink/transport.rs",
    "wire/src/netlink/veth.rs",
    "wire/src/nft",
];

/// Beginnings of texts that nobody has to look up: commands that are printed as advice, formats.
const SELF_EVIDENT: &[&str] = &[
    "… --new-policy",
    "… --policy",
    "…\nversion",
    "firewall-cmd",
    "nft insert rule",
    "…… in subnets of",
    "text/plain",
];

#[test]
fn every_message_is_explained_and_nothing_else() {
    let page = fs::read_to_string(crate::file("docs/operations.md")).unwrap();
    let explained = explained(&page);
    let texts = source::texts();
    let covers = |entry: &String, text: &Text| text.text.contains(entry.trim_matches('…').trim());
    let missing: Vec<_> = texts
        .iter()
        .filter(|text| is_message(text))
        .filter(|text| !explained.iter().any(|entry| covers(entry, text)))
        .map(|text| format!("{}: {}", text.file, text.text))
        .collect();
    assert!(
        missing.is_empty(),
        "docs/operations.md does not explain:\n{}",
        missing.join("\n")
    );
    let stale: Vec<_> = explained
        .into_iter()
        .filter(|entry| !texts.iter().any(|text| covers(entry, text)))
        .collect();
    assert!(
        stale.is_empty(),
        "docs/operations.md explains what nobody says:\n{}",
        stale.join("\n")
    );
}

#[test]
fn what_is_left_out_is_there() {
    let texts = source::texts();
    for left_out in NO_MESSAGES {
        let is_there = texts.iter().any(|text| text.file.starts_with(left_out));
        assert!(is_there, "{left_out}");
    }
    for left_out in SELF_EVIDENT {
        let is_there = texts.iter().any(|text| text.text.starts_with(left_out));
        assert!(is_there, "{left_out}");
    }
}

#[test]
fn every_error_code_is_explained_and_nothing_else() {
    let page = fs::read_to_string(crate::file("docs/operations.md")).unwrap();
    let (_, codes) = page.split_once("## CNI error codes").unwrap();
    let (codes, _) = codes.split_once("\n## ").unwrap();
    let rows = codes.lines().filter_map(|line| line.strip_prefix("| "));
    let explained: BTreeSet<u32> = rows
        .filter_map(|row| row.split(' ').next()?.parse().ok())
        .collect();
    assert_eq!(explained, source::codes());
}

fn is_message(text: &Text) -> bool {
    let is_no_message = NO_MESSAGES.iter().any(|file| text.file.starts_with(file))
        || SELF_EVIDENT.iter().any(|it| text.text.starts_with(it));
    !is_no_message && words(&text.text) >= 3
}

/// How many words of a language there are, and not of a path or a placeholder.
fn words(text: &str) -> usize {
    let is_word = |word: &&str| word.chars().filter(|it| it.is_alphabetic()).count() >= 2;
    text.split_whitespace().filter(is_word).count()
}

/// The texts in backquotes in the first column of the tables of messages.
fn explained(page: &str) -> BTreeSet<String> {
    let tables = page.split("| message | meaning | what to do |\n").skip(1);
    let rows = tables.flat_map(|table| table.lines().take_while(|line| line.starts_with('|')));
    let cells = rows.filter_map(|row| row.strip_prefix("| `")?.split("` | ").next());
    cells
        .flat_map(|cell| cell.split('`').step_by(2))
        .map(str::to_owned)
        .collect()
}
