use super::*;

fn cidrs() -> Vec<IpNet> {
    ["10.244.0.0/16", "fd00:10:244::/56"]
        .map(|text| text.parse().unwrap())
        .to_vec()
}

fn chain(table: TableId, name: &str, policy: NftVerdict) -> BaseChain {
    BaseChain {
        table,
        name: name.to_owned(),
        hook: Hook::new("filter", Hook::FORWARD, Hook::FILTER),
        policy,
        size: 0,
    }
}

fn forward(policy: NftVerdict) -> BaseChain {
    chain(iptables_table(IpVersion::V4), CHAIN, policy)
}

fn rule(handle: u64, expressions: Vec<Expression>) -> FoundRule {
    FoundRule {
        chain: CHAIN.to_owned(),
        handle,
        expressions,
        comment: None,
    }
}

fn ours(handle: u64, term: &Term) -> FoundRule {
    let terms = [
        term.clone(),
        Term::Counter,
        Term::Verdict(NftVerdict::Accept),
    ];
    FoundRule {
        comment: Some(COMMENT.to_owned()),
        ..rule(handle, NftRule::new(terms).expressions(TableFamily::Ip))
    }
}

fn both() -> [FoundRule; 2] {
    let cidr = cidrs()[0];
    [ours(8, &Term::from(cidr)), ours(9, &Term::to(cidr))]
}

fn reject(handle: u64) -> FoundRule {
    let target = Expression::Other("target REJECT".to_owned());
    rule(handle, vec![Expression::Counter, target])
}

/// Drops packets to one prefix.
fn isolation(handle: u64) -> FoundRule {
    let terms = [
        Term::to("172.17.0.0/16".parse().unwrap()),
        Term::Verdict(NftVerdict::Drop),
    ];
    rule(handle, NftRule::new(terms).expressions(TableFamily::Ip))
}

fn jump(handle: u64) -> FoundRule {
    rule(handle, vec![Expression::Other("immediate".to_owned())])
}

fn planned(policy: NftVerdict, rules: &[FoundRule]) -> Vec<String> {
    let commands = plan(&forward(policy), rules, &cidrs());
    let words = commands.iter().map(ToString::to_string);
    words
        .map(|text| text.replace("rule ip filter FORWARD ", ""))
        .collect()
}

const FROM: &str = "ip saddr 10.244.0.0/16 counter accept comment \"flatland: pods\"";
const TO: &str = "ip daddr 10.244.0.0/16 counter accept comment \"flatland: pods\"";

#[test]
fn chain_without_drop_of_everything_is_left_alone() {
    let accept = || NftVerdict::Accept;
    assert_eq!(planned(accept(), &[]), [""; 0]);
    assert_eq!(planned(accept(), &[isolation(1), jump(2)]), [""; 0]);
}

#[test]
fn rules_are_appended_if_policy_drops() {
    let expected = [format!("add {FROM}"), format!("add {TO}")];
    assert_eq!(
        planned(NftVerdict::Drop, &[isolation(1), jump(2)]),
        expected
    );
}

#[test]
fn rules_are_inserted_before_rule_that_drops_everything() {
    let log = Expression::Other("log".to_owned());
    let blocking_rules = [
        reject(5),
        rule(5, vec![log, Expression::Verdict(NftVerdict::Drop)]),
        rule(5, vec![Expression::Other("reject".to_owned())]),
    ];
    for blocking_rule in blocking_rules {
        for policy in [NftVerdict::Accept, NftVerdict::Drop] {
            let rules = [isolation(1), blocking_rule.clone(), jump(6)];
            let insert = |text| format!("insert position 5 {text}");
            assert_eq!(planned(policy, &rules), [FROM, TO].map(insert));
        }
    }
}

#[test]
fn rules_in_place_stay() {
    let [from, to] = both();
    for rules in [
        vec![from.clone(), to.clone()],
        vec![from.clone(), jump(1), to.clone(), isolation(2)],
        vec![jump(1), from, to, reject(2)],
    ] {
        assert_eq!(planned(NftVerdict::Drop, &rules), [""; 0]);
    }
}

#[test]
fn misplaced_or_wrong_rules_are_replaced() {
    let [from, to] = both();
    let insert = |text| format!("insert position 2 {text}");
    let delete = |handle| format!("delete handle {handle}");
    assert_eq!(
        planned(NftVerdict::Drop, &[from.clone(), reject(2), to.clone()]),
        [insert(FROM), insert(TO), delete(8), delete(9)]
    );
    let other = ours(7, &Term::from("10.0.0.0/8".parse().unwrap()));
    let add = |text| format!("add {text}");
    assert_eq!(
        planned(NftVerdict::Drop, &[other, to.clone()]),
        [add(FROM), add(TO), delete(7), delete(9)]
    );
    let copied = FoundRule {
        expressions: [
            &from.expressions[..],
            &[Expression::Comment(COMMENT.into())],
        ]
        .concat(),
        ..from.clone()
    };
    assert_eq!(
        planned(NftVerdict::Drop, &[copied, from, to]).len(),
        5,
        "what iptables-restore made of ours goes"
    );
}

#[test]
fn rules_are_removed_when_chain_stops_dropping() {
    let [from, to] = both();
    assert_eq!(
        planned(NftVerdict::Accept, &[jump(1), from, to]),
        ["delete handle 8", "delete handle 9"]
    );
}

#[test]
fn ipv6_rules_go_into_ip6_chain() {
    let six = chain(iptables_table(IpVersion::V6), CHAIN, NftVerdict::Drop);
    let words: Vec<_> = plan(&six, &[], &cidrs())
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(words.len(), 2);
    assert!(
        words[0].starts_with("add rule ip6 filter FORWARD ip6 saddr fd00:10:244::/56 "),
        "{words:?}"
    );
}

#[test]
fn foreign_chains_are_forward_chains_of_other_programs() {
    let inet = |name| TableId::new(TableFamily::Inet, name);
    for (table, name, expected) in [
        (inet("filter"), "forward", true),
        (inet("filter"), "FORWARD", true),
        (iptables_table(IpVersion::V4), "forward", true),
        (iptables_table(IpVersion::V6), "FORWARD", false),
        (inet("flatland"), "forward", false),
        (
            TableId::new(TableFamily::Other(7), "filter"),
            "FORWARD",
            false,
        ),
    ] {
        let found = chain(table, name, NftVerdict::Drop);
        assert_eq!(is_foreign(&found), expected, "{found:?}");
    }
    let mut input = chain(inet("filter"), "input", NftVerdict::Drop);
    input.hook.number = 1;
    assert!(!is_foreign(&input));
}

#[test]
fn advice_for_dropping_chain_lists_nft_commands() {
    let filter = TableId::new(TableFamily::Inet, "filter");
    let found = chain(filter.clone(), CHAIN, NftVerdict::Drop);
    let text = advice(&found, &[], &cidrs()).unwrap();
    assert!(
        text.starts_with("chain FORWARD of table inet filter drops")
            && text.ends_with(
                ": nft insert rule inet filter FORWARD ip saddr 10.244.0.0/16 accept && \
                 nft insert rule inet filter FORWARD ip daddr 10.244.0.0/16 accept && \
                 nft insert rule inet filter FORWARD ip6 saddr fd00:10:244::/56 accept && \
                 nft insert rule inet filter FORWARD ip6 daddr fd00:10:244::/56 accept"
            ),
        "{text}"
    );
    let terms = cidrs()
        .into_iter()
        .flat_map(|cidr| [Term::from(cidr), Term::to(cidr)]);
    let accepting: Vec<_> = terms
        .map(|term| rule(1, NftRule::new([term]).expressions(TableFamily::Inet)))
        .collect();
    assert_eq!(advice(&found, &accepting, &cidrs()), None);
    let text = advice(&found, &accepting[..3], &cidrs()).unwrap();
    assert!(!text.contains("10.244") && text.contains("fd00"), "{text}");
    let harmless = chain(filter, CHAIN, NftVerdict::Accept);
    assert_eq!(advice(&harmless, &[isolation(1)], &cidrs()), None);
}

#[test]
fn advice_for_firewalld_lists_firewall_cmd_commands() {
    let table = TableId::new(TableFamily::Inet, "firewalld");
    let found = chain(table, CHAIN, NftVerdict::Accept);
    let text = advice(&found, &[reject(1)], &cidrs()).unwrap();
    assert!(
        text.contains(
            "firewall-cmd --permanent --zone=trusted --add-source=10.244.0.0/16 \
             --add-source=fd00:10:244::/56 && "
        ) && text.ends_with(" && firewall-cmd --reload"),
        "{text}"
    );
}
