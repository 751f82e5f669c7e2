//! nftables transactions and change events, against the kernel.

use std::collections::BTreeSet;
use std::net::IpAddr;

use nix::errno::Errno;
use wire::netlink::Error;
use wire::nft::{
    AddressField, Element, Elements, Hook, IpVersion, NftCommand as Change, NftMonitor, NftRule,
    NftVerdict, RulesetChange, TableFamily, TableId, Term,
};

use super::{everything, id, member, nft, socket};
use crate::support::netns;

fn element(address: &str) -> Element {
    Element::new(address.parse::<IpAddr>().unwrap())
}

#[test]
fn elements_are_added_and_removed_singly() {
    let mut socket = socket(&netns());
    socket
        .apply(&everything().replace_commands(), None)
        .unwrap();
    let table = id();
    let portion = |elements: &[Element]| {
        let mut portions = Elements::in_portions(&table, "nodes4", elements);
        portions.next().unwrap()
    };
    let added = [element("192.168.1.13"), element("192.168.1.11")];
    let add = Change::AddElements(portion(&added));
    let remove = Change::DelElements(portion(&[element("192.168.1.12")]));

    socket.apply(&[add, remove.clone()], None).unwrap();

    let image = socket.table(&id()).unwrap().0.unwrap();
    let expected = ["192.168.1.11", "192.168.1.13"].map(element);
    assert_eq!(image.sets["nodes4"].elements, BTreeSet::from(expected));
    let error = socket.apply(&[remove], None).unwrap_err();
    assert_eq!(error.errno(), Some(Errno::ENOENT));
    let text = "nft delete element inet flatland nodes4 { 192.168.1.12 }";
    assert!(error.to_string().starts_with(text), "{error}");
}

#[test]
fn failed_transaction_changes_nothing_and_names_command() {
    let mut socket = socket(&netns());
    let mut table = everything();
    table.chains[1].rules.insert(
        1,
        NftRule::new([member(AddressField::Source, IpVersion::V4, "missing", true)]),
    );
    let commands = table.replace_commands();

    let error = socket.apply(&commands, None).unwrap_err();

    let Error::Refused { index, request, .. } = &error else {
        panic!("{error}");
    };
    assert_eq!(request, "nft add rule inet flatland out ip saddr @missing");
    assert_eq!(format!("nft {}", commands[*index]), *request);
    assert_eq!(socket.table(&id()).unwrap().0, None);
}

#[test]
fn transaction_of_old_generation_changes_nothing() {
    let namespace = netns();
    let mut socket = socket(&namespace);
    let generation = socket.generation().unwrap();
    nft(&namespace, "add table ip other");

    let stale = socket.apply(&everything().replace_commands(), Some(generation));
    let now = socket.generation().unwrap();
    assert_ne!(now, generation);
    assert!(matches!(stale, Err(Error::Interrupted { .. })), "{stale:?}");
    assert_eq!(socket.table(&id()).unwrap().0, None);

    socket
        .apply(&everything().replace_commands(), Some(now))
        .unwrap();
    let (image, generation) = socket.table(&id()).unwrap();
    assert!(image.is_some() && generation == socket.generation().unwrap());
}

#[test]
fn rules_of_a_foreign_chain_are_added_and_deleted() {
    let namespace = netns();
    let mut socket = socket(&namespace);
    nft(
        &namespace,
        "table ip filter { chain FORWARD { type filter hook forward priority 0; policy drop; \
         oifname wg0 accept; counter drop; }; chain x { drop; }; }",
    );
    let table = TableId::new(TableFamily::Ip, "filter");
    let found = socket.base_chain(&table, "FORWARD").unwrap().unwrap();
    assert_eq!(found.policy, NftVerdict::Drop);
    assert_eq!(found.hook, Hook::new("filter", Hook::FORWARD, Hook::FILTER));
    assert_eq!(socket.base_chains().unwrap(), [found]);
    let rules = socket.rules(&table, Some("FORWARD")).unwrap();
    let chain = "FORWARD".to_owned();
    let add = |prefix: &str, before| Change::AddRule {
        table: table.clone(),
        chain: chain.clone(),
        before,
        rule: NftRule::new([
            Term::from(prefix.parse().unwrap()),
            Term::Verdict(NftVerdict::Accept),
        ])
        .comment("mine"),
    };
    let remove = Change::DelRule {
        table: table.clone(),
        chain: chain.clone(),
        handle: rules[0].handle,
    };

    let before = add("10.1.0.0/16", Some(rules[1].handle));
    socket
        .apply(&[before, add("10.2.0.0/16", None), remove], None)
        .unwrap();

    let listed = nft(&namespace, "list chain ip filter FORWARD");
    let rules: Vec<&str> = listed.lines().skip(3).map(str::trim).collect();
    let expected = [
        "ip saddr 10.1.0.0/16 accept comment \"mine\"",
        "counter drop",
        "ip saddr 10.2.0.0/16 accept comment \"mine\"",
    ];
    assert_eq!(rules[..3], expected);
    let comments = socket.rules(&table, Some("FORWARD")).unwrap().into_iter();
    let comments: Vec<_> = comments.map(|rule| rule.comment).collect();
    let mine = Some("mine".to_owned());
    assert_eq!(comments, [mine.clone(), None, mine]);
}

#[test]
fn comment_of_nft_and_iptables_rules_is_found() {
    let namespace = netns();
    let mut socket = socket(&namespace);
    let iptables = |words: &[&str]| {
        let run = || {
            std::process::Command::new("iptables-nft")
                .args(words)
                .output()
        };
        let output = namespace.run(run).unwrap().expect("iptables is installed");
        assert!(output.status.success(), "iptables {words:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    iptables(&["-P", "FORWARD", "DROP"]);
    iptables(&[
        "-A",
        "FORWARD",
        "-s",
        "10.244.0.0/16",
        "-m",
        "comment",
        "--comment",
        "pods",
        "-j",
        "ACCEPT",
    ]);
    let table = TableId::new(TableFamily::Ip, "filter");
    let rule = NftRule::new([
        Term::to("10.244.0.0/16".parse().unwrap()),
        Term::Counter,
        Term::Verdict(NftVerdict::Accept),
    ]);
    let add = Change::AddRule {
        table: table.clone(),
        chain: "FORWARD".to_owned(),
        before: None,
        rule: rule.comment("pods"),
    };

    socket.apply(&[add], None).unwrap();

    let rules = socket.rules(&table, Some("FORWARD")).unwrap().into_iter();
    let comments: Vec<_> = rules.map(|rule| rule.comment).collect();
    assert_eq!(comments, [Some("pods".to_owned()), Some("pods".to_owned())]);
    let listed = iptables(&["-S", "FORWARD"]);
    assert_eq!(
        listed.lines().last(),
        Some("-A FORWARD -d 10.244.0.0/16 -m comment --comment pods -j ACCEPT")
    );
}

fn changes(monitor: &mut NftMonitor) -> Vec<String> {
    let mut all = Vec::new();
    monitor
        .drain(|change| {
            all.push(match change {
                RulesetChange::Changed {
                    family,
                    table,
                    chain,
                    is_base,
                } => {
                    let base = if is_base { " (base)" } else { "" };
                    format!("{family} {table} {}{base}", chain.unwrap_or("-"))
                }
                RulesetChange::Committed { program } => format!("by {program}"),
                RulesetChange::Lost => "lost".to_owned(),
            });
        })
        .unwrap();
    all
}

#[test]
fn change_event_has_table_chain_and_program() {
    let namespace = netns();
    let mut monitor = namespace.run(NftMonitor::open).unwrap().unwrap();
    assert_eq!(changes(&mut monitor), [""; 0]);

    nft(
        &namespace,
        "table ip t { set s { type mark; elements = { 1 }; }; chain c { accept; }; \
         chain b { type filter hook forward priority 0; }; }",
    );
    let expected = [
        "ip t -",
        "ip t c",
        "ip t b (base)",
        "ip t -",
        "ip t -",
        "ip t c",
        "by nft",
    ];
    assert_eq!(changes(&mut monitor), expected);

    nft(&namespace, "flush ruleset");
    let found = changes(&mut monitor);
    assert!(found.contains(&"ip t b".to_owned()), "{found:?}");
    assert_eq!(found.last().map(String::as_str), Some("by nft"));
}

#[test]
fn changes_of_ignored_socket_are_skipped() {
    let namespace = netns();
    let mut monitor = namespace.run(NftMonitor::open).unwrap().unwrap();
    let mut socket = socket(&namespace);
    socket.generation().unwrap();
    monitor.ignore(&socket);

    socket
        .apply(&everything().replace_commands(), None)
        .unwrap();
    assert_eq!(changes(&mut monitor), [""; 0]);

    nft(&namespace, "flush chain inet flatland out");
    assert!(changes(&mut monitor).contains(&"inet flatland out".to_owned()));
}
