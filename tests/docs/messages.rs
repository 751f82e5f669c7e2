//! docs/messages.md explains every message, and every code.

use std::collections::BTreeSet;
use std::fs;

use crate::source::{self, Text};

/// Files without messages that need an explanation: their texts answer a question and say what to
/// do, or name a kernel request, after which the kernel's own error is printed.
const NO_MESSAGES: &[&str] = &[
    "daemonkit/src/metrics.rs",
    "ipam/src/claim_main.rs",
    "ipam/src/plugin.rs",
    "plugin/src/main.rs",
    "policy/src/metrics.rs",
    "registry/src/tls_error.rs",
    "routed/src/cli/addresses.rs",
    "routed/src/cli/command.rs",
    "routed/src/cli/doctor.rs",
    "routed/src/cli/explain.rs",
    "routed/src/cli/help.rs",
    "routed/src/cli/nodes.rs",
    "routed/src/cli/routes/",
    "routed/src/cli/status",
    "routed/src/cli/subnets.rs",
    "routed/src/cli/table.rs",
    "routed/src/cli/terminal.rs",
    "routed/src/doctor",
    "routed/src/explain",
    "routed/src/fib/fake_kernel.rs",
    "routed/src/firewall/iptables_legacy/plan.rs",
    "routed/src/firewall/ruleset.rs",
    "routed/src/firewall/survey.rs",
    "routed/src/identity.rs",
    "routed/src/packet_paths",
    "routed/src/status/metrics.rs",
    "wire/src/netlink/neighbour.rs",
    "wire/src/netlink/policy_rule.rs",
    "wire/src/netlink/request.rs",
    "wire/src/netlink/source_rule.rs",
    "wire/src/netlink/route_lookup.rs",
    "wire/src/netlink/socket.rs",
    "wire/src/netlink/solicit.rs",
    "wire/src/netlink/subscription.rs",
    "wire/src/netlink/token.rs",
    "wire/src/netlink/transport.rs",
    "wire/src/netlink/veth.rs",
    "wire/src/nft",
    "wire/src/packet_log/reader.rs",
];

/// Beginnings of texts that need no explanation: commands that are printed as advice, formats.
const SELF_EVIDENT: &[&str] = &[
    "… --new-policy",
    "… --policy",
    "…\nversion",
    "firewall-cmd",
    "nft insert rule",
    " in subnets of",
    "text/plain",
];

#[test]
fn messages_page_explains_every_message_and_no_other() {
    let page = fs::read_to_string(crate::file("docs/messages.md")).unwrap();
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
        "docs/messages.md does not explain:\n{}",
        missing.join("\n")
    );
    let stale: Vec<_> = explained
        .into_iter()
        .filter(|entry| !texts.iter().any(|text| covers(entry, text)))
        .collect();
    assert!(
        stale.is_empty(),
        "docs/messages.md explains messages that no program has:\n{}",
        stale.join("\n")
    );
}

#[test]
fn lists_of_exceptions_name_only_what_exists() {
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
fn messages_page_explains_every_error_code_and_no_other() {
    let page = fs::read_to_string(crate::file("docs/messages.md")).unwrap();
    let (_, codes) = page.split_once("## CNI error codes").unwrap();
    let (codes, _) = codes.split_once("\n## ").unwrap();
    let rows = codes.lines().filter_map(|line| line.strip_prefix("| "));
    let explained: BTreeSet<u32> = rows
        .filter_map(|row| row.split(' ').next()?.parse().ok())
        .collect();
    assert_eq!(explained, source::codes());
}

fn is_message(text: &Text) -> bool {
    let is_exempt = NO_MESSAGES.iter().any(|file| text.file.starts_with(file))
        || SELF_EVIDENT.iter().any(|it| text.text.starts_with(it));
    !is_exempt && words(&text.text) >= 3
}

/// The number of words, without paths and placeholders.
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
