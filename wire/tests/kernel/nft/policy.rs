//! What network policies need of nftables: verdict maps, concatenations, chains that others jump to.

use std::net::IpAddr;

use nix::errno::Errno;
use wire::IpProtocol;
use wire::nft::{
    AddressField, ConnectionState, Direction, Element, ElementKey, Elements, Hook, IpVersion,
    NftChain, NftCommand as Change, NftRule, NftSet, NftTable, NftVerdict, TableFamily, TableId,
    Term,
};

use super::{accept, addresses, link, member, nft, prefixes, socket, words};
use crate::support::netns;

fn table_id() -> TableId {
    TableId::new(TableFamily::Inet, "flatland-policy")
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn verdict(verdict: NftVerdict) -> Term {
    Term::Verdict(verdict)
}

fn jump(chain: &str) -> NftVerdict {
    NftVerdict::Jump(chain.to_owned())
}

fn goto(chain: &str) -> NftVerdict {
    NftVerdict::Goto(chain.to_owned())
}

fn ports(protocol: IpProtocol, first: u16, last: u16) -> Term {
    let ports = first..=last;
    Term::Ports { protocol, ports }
}

fn log(prefix: &str) -> [Term; 2] {
    let log = Term::Log {
        group: 5,
        prefix: prefix.to_owned(),
        snap_length: 256,
    };
    [
        Term::Limit {
            rate: 10,
            burst: 20,
        },
        log,
    ]
}

fn chain(name: &str, rules: Vec<NftRule>) -> NftChain {
    NftChain {
        name: name.to_owned(),
        hook: None,
        rules,
    }
}

/// One element in each hash set: nft lists several in any order.
fn sets() -> Vec<NftSet> {
    use IpVersion::{V4, V6};
    let (pod4, pod6) = (ip("10.244.1.2"), ip("fd00::12"));
    let verdicts = [
        ("flat2".to_owned(), goto("in-1")),
        ("flat3".to_owned(), NftVerdict::Return),
        ("flat4".to_owned(), jump("in-1")),
    ];
    let pair = |link: &str| (link.to_owned(), link.to_owned());
    let database = [
        (pod4, IpProtocol::TCP, 5432),
        (pod6, IpProtocol::SCTP, 5432),
    ];
    vec![
        NftSet::of_link_pairs("itself", [pair("flat2")]).comment("own pods"),
        NftSet::of_link_verdicts("ingress", verdicts).comment("by pod"),
        NftSet::of_link_verdicts("egress", []),
        NftSet::of_addresses("sel-0-4", V4, addresses(&["10.244.2.1"])).comment(&"é".repeat(64)),
        NftSet::of_prefixes("net-0-4", V4, &prefixes(&["172.16.0.0/12", "10.0.0.0/24"])),
        NftSet::of_endpoints("port-0-4", V4, database),
        NftSet::of_endpoints("port-0-6", V6, database),
        NftSet::of_port_ranges("ports-0", [0..=0, 80..=80, 90..=95, 60_000..=65_535]),
    ]
}

fn forward() -> NftChain {
    let established = vec![ConnectionState::Established, ConnectionState::Related];
    let pair = Term::MemberLinkPair {
        set: "itself".to_owned(),
    };
    NftChain {
        name: "forward".to_owned(),
        hook: Some(Hook::new("filter", Hook::FORWARD, Hook::FILTER)),
        rules: vec![
            NftRule::new([Term::ConnectionStates(established), accept()]),
            NftRule::new([
                Term::ConnectionStates(vec![ConnectionState::Invalid]),
                verdict(NftVerdict::Drop),
            ]),
            NftRule::new([pair, accept()]),
            NftRule::new([link(Direction::Out, true), verdict(jump("to-pod"))]),
        ],
    }
}

fn to_pod() -> NftChain {
    let map = "ingress".to_owned();
    let way = Direction::Out;
    let [limit, log] = log("undecided ingress");
    chain(
        "to-pod",
        vec![
            NftRule::new([Term::LinkVerdict { way, map }]),
            NftRule::new([limit, log]),
            NftRule::new([Term::Counter, verdict(NftVerdict::Drop)]),
        ],
    )
}

fn profile() -> NftChain {
    use IpVersion::{V4, V6};
    let pass = || verdict(NftVerdict::Return);
    let named = |version, set: &str| Term::MemberEndpoint {
        end: AddressField::Destination,
        version,
        set: set.to_owned(),
    };
    let from = |text: &str| Term::from(text.parse().unwrap());
    let listed_port = Term::MemberPort {
        protocol: IpProtocol::TCP,
        set: "ports-0".to_owned(),
    };
    let selected = || member(AddressField::Source, V4, "sel-0-4", true);
    let outside = member(AddressField::Source, V4, "net-0-4", true);
    chain(
        "in-1",
        vec![
            NftRule::new([selected(), ports(IpProtocol::TCP, 80, 80), pass()]).comment("np a/web"),
            NftRule::new([outside, ports(IpProtocol::UDP, 1000, 2000), pass()]),
            NftRule::new([listed_port, pass()]),
            NftRule::new([
                from("10.9.0.0/15"),
                ports(IpProtocol::SCTP, 1, 65_535),
                pass(),
            ]),
            NftRule::new([from("fd00::/63"), Term::Protocol(IpProtocol::TCP), pass()]),
            NftRule::new([selected(), Term::Protocol(IpProtocol::ICMP), pass()]),
            NftRule::new([named(V4, "port-0-4"), pass()]),
            NftRule::new([named(V6, "port-0-6"), Term::Counter, pass()]).comment(&"x".repeat(300)),
            NftRule::new([Term::NoTcpStart, verdict(NftVerdict::Drop)]),
            NftRule::new([Term::Protocol(IpProtocol::UDP), verdict(goto("last"))]),
            NftRule::new([Term::Counter, verdict(NftVerdict::Drop)]).comment("np a/default-deny"),
        ],
    )
}

fn policy() -> NftTable {
    NftTable {
        id: table_id(),
        sets: sets(),
        chains: vec![forward(), to_pod(), profile(), chain("last", vec![])],
    }
}

#[test]
fn policy_table_is_listed_by_nft_and_kernel_as_expected() {
    let namespace = netns();
    let mut socket = socket(&namespace);

    socket.apply(&policy().replace_commands(), None).unwrap();

    let listed = nft(&namespace, "list table inet flatland-policy");
    assert_eq!(words(&listed), words(&policy().to_string()));
    let found = socket.table(&table_id()).unwrap().0;
    assert_eq!(found, Some(policy().expected_listing()));
}

#[test]
fn policy_table_loaded_by_nft_equals_ours() {
    let namespace = netns();

    nft(&namespace, &policy().to_string());

    let found = socket(&namespace).table(&table_id()).unwrap().0;
    assert_eq!(found, Some(policy().expected_listing()));
}

#[test]
fn every_external_change_of_policy_shows_in_the_listing() {
    for change in [
        "add element TABLE itself { flat2 . flat3 }",
        "delete element TABLE itself { flat2 . flat2 }",
        "add element TABLE egress { flat2 : drop }",
        "delete element TABLE ingress { flat3 }",
        "delete element TABLE ingress { flat3 }; \
         add element TABLE ingress { flat3 : accept }",
        "add element TABLE port-0-4 { 10.244.1.2 . tcp . 5433 }",
        "flush set TABLE port-0-6",
        "add element TABLE ports-0 { 97-99 }",
        "flush chain TABLE in-1",
        "add rule TABLE last drop",
        "add chain TABLE other",
        "insert rule TABLE to-pod oifname vmap @egress",
    ] {
        let namespace = netns();
        let mut socket = socket(&namespace);
        socket.apply(&policy().replace_commands(), None).unwrap();

        nft(&namespace, &change.replace("TABLE", "inet flatland-policy"));

        let found = socket.table(&table_id()).unwrap().0.unwrap();
        assert_ne!(found, policy().expected_listing(), "{change}");
    }
}

fn elements(set: &str, all: &[Element]) -> Elements {
    let table = table_id();
    Elements::in_portions(&table, set, all).next().unwrap()
}

fn in_table(chain: &str) -> (TableId, String) {
    (table_id(), chain.to_owned())
}

#[test]
fn sets_verdicts_and_chains_change_one_by_one() {
    let namespace = netns();
    let mut socket = socket(&namespace);
    socket.apply(&policy().replace_commands(), None).unwrap();
    let pod = ElementKey::link("flat3");
    let endpoint = |port| {
        Element::new(ElementKey::Endpoint(
            ip("10.244.1.2"),
            IpProtocol::TCP,
            port,
        ))
    };
    let mut wanted = policy();
    wanted.chains[3] = chain("in-2", vec![NftRule::new([verdict(NftVerdict::Drop)])]);
    wanted.chains[2].rules.truncate(1);
    let (table, name) = in_table("in-2");
    let (in_1, last) = (in_table("in-1"), in_table("last"));
    let add_rule = |chain: &str, rule: &NftRule| Change::AddRule {
        table: table_id(),
        chain: chain.to_owned(),
        before: None,
        rule: rule.clone(),
    };
    let set = |name: &str| Change::DelSet {
        table: table_id(),
        set: name.to_owned(),
    };
    let moved = goto("in-2");

    socket
        .apply(
            &[
                Change::AddChain {
                    table,
                    chain: name,
                    hook: None,
                },
                add_rule("in-2", &wanted.chains[3].rules[0]),
                Change::DelElements(elements("ingress", &[Element::new(pod)])),
                Change::AddElements(elements("ingress", &[Element::with_verdict(pod, moved)])),
                Change::FlushChain {
                    table: in_1.0,
                    chain: in_1.1,
                },
                add_rule("in-1", &wanted.chains[2].rules[0]),
                Change::DelChain {
                    table: last.0,
                    chain: last.1,
                },
                Change::AddElements(elements("port-0-4", &[endpoint(80), endpoint(443)])),
                Change::DelElements(elements("port-0-4", &[endpoint(5432), endpoint(443)])),
                set("port-0-6"),
                set("egress"),
            ],
            None,
        )
        .unwrap();

    let mut sets = sets();
    sets.retain(|set| !["port-0-6", "egress"].contains(&set.name.as_str()));
    let verdicts = [
        ("flat2".to_owned(), goto("in-1")),
        ("flat3".to_owned(), goto("in-2")),
        ("flat4".to_owned(), jump("in-1")),
    ];
    sets[1] = NftSet::of_link_verdicts("ingress", verdicts).comment("by pod");
    let web = (ip("10.244.1.2"), IpProtocol::TCP, 80);
    sets[4] = NftSet::of_endpoints("port-0-4", IpVersion::V4, [web]);
    wanted.sets = sets;
    let found = socket.table(&table_id()).unwrap().0;
    assert_eq!(found, Some(wanted.expected_listing()));
}

#[test]
fn deletion_of_what_is_used_is_refused_and_named() {
    let mut socket = socket(&netns());
    socket.apply(&policy().replace_commands(), None).unwrap();
    let (table, chain) = in_table("in-1");
    let chain = Change::DelChain { table, chain };
    let set = Change::DelSet {
        table: table_id(),
        set: "port-0-4".to_owned(),
    };
    let missing = Element::with_verdict(ElementKey::link("flat9"), goto("no-such-chain"));
    let missing = Change::AddElements(elements("ingress", &[missing]));
    for (command, errno, text) in [
        (
            chain,
            Errno::EBUSY,
            "delete chain inet flatland-policy in-1",
        ),
        (
            set,
            Errno::EBUSY,
            "delete set inet flatland-policy port-0-4",
        ),
        (
            missing,
            Errno::ENOENT,
            "add element inet flatland-policy ingress { \"flat9\" : goto no-such-chain }",
        ),
    ] {
        let error = socket.apply(&[command], None).unwrap_err();
        assert_eq!(error.errno(), Some(errno), "{error}");
        assert!(
            error.to_string().starts_with(&format!("nft {text}: ")),
            "{error}"
        );
    }
}
