//! What `flatland-policy` needs of nftables, to try whether a kernel has it.

use std::net::Ipv4Addr;

use ipnet::{IpNet, Ipv4Net};

use crate::IpProtocol;
use crate::nft::{
    AddressField, ConnectionState, Direction, Hook, IpVersion, NftChain, NftRule, NftSet, NftTable,
    NftVerdict, TableFamily, TableId, Term,
};

/// For documentation (RFC 5737).
const PREFIX: Ipv4Net = Ipv4Net::new_assert(Ipv4Addr::new(192, 0, 2, 0), 24);

/// No interface has a name with a slash.
const INTERFACE: &str = "flat/trial";

/// A table with every kind of rules and sets that policies become. It is not the table of policies.
pub fn trial_table() -> NftTable {
    let rules = [look_ups(), other_conditions(), actions()].concat();
    NftTable {
        id: TableId::new(TableFamily::Inet, "flatland-policy-trial"),
        sets: sets(),
        chains: vec![NftChain {
            name: "forward".to_owned(),
            hook: Some(Hook::new("filter", Hook::FORWARD, Hook::FILTER)),
            rules: rules.into_iter().map(|term| NftRule::new([term])).collect(),
        }],
    }
}

/// A set of each kind.
fn sets() -> Vec<NftSet> {
    let (version, address) = (IpVersion::V4, PREFIX.network().into());
    let interface = || INTERFACE.to_owned();
    vec![
        NftSet::of_link_pairs("itself", [(interface(), interface())]),
        NftSet::of_link_verdicts("pods", [(interface(), NftVerdict::Return)]),
        NftSet::of_addresses("addresses", version, [address]),
        NftSet::of_prefixes("networks", version, [&IpNet::from(PREFIX)]),
        NftSet::of_endpoints("endpoints", version, [(address, IpProtocol::SCTP, 1)]),
        NftSet::of_port_ranges("ports", [1..=1, 9..=u16::MAX]),
    ]
}

/// Look-ups in the sets.
fn look_ups() -> Vec<Term> {
    let (version, name) = (IpVersion::V4, ToOwned::to_owned);
    let member = |set: &str| Term::Member {
        end: AddressField::Source,
        version,
        set: name(set),
        is: true,
    };
    vec![
        Term::MemberLinkPair {
            set: name("itself"),
        },
        Term::LinkVerdict {
            way: Direction::In,
            map: name("pods"),
        },
        member("addresses"),
        member("networks"),
        Term::MemberEndpoint {
            end: AddressField::Destination,
            version,
            set: name("endpoints"),
        },
        Term::MemberPort {
            protocol: IpProtocol::TCP,
            set: name("ports"),
        },
    ]
}

fn other_conditions() -> Vec<Term> {
    let states = vec![ConnectionState::Established, ConnectionState::Related];
    vec![
        Term::ConnectionStates(states),
        Term::Link {
            way: Direction::Out,
            prefix: "flat".to_owned(),
            is: true,
        },
        Term::IpVersion(IpVersion::V4),
        Term::Prefix {
            end: AddressField::Source,
            prefix: PREFIX.into(),
        },
        Term::Protocol(IpProtocol::UDP),
        Term::Ports {
            protocol: IpProtocol::SCTP,
            ports: 1..=2,
        },
        Term::NoTcpStart,
    ]
}

fn actions() -> Vec<Term> {
    vec![
        Term::Limit { rate: 5, burst: 10 },
        Term::Log {
            group: 70,
            prefix: "trial".to_owned(),
            snap_length: 128,
        },
        Term::Counter,
        Term::Verdict(NftVerdict::Return),
    ]
}
