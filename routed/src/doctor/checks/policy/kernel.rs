//! Whether the kernel takes the kinds of rules and sets that `flatland-policy` makes.

use ipnet::IpNet;
use nix::errno::Errno;
use wire::IpProtocol;
use wire::netlink::Error;
use wire::nft::{
    AddressField, ConnectionState, Direction, Hook, IpVersion, NftChain, NftCommand, NftRule,
    NftSet, NftSocket, NftTable, NftVerdict, TableFamily, TableId, Term,
};

/// Tries them in a transaction that the kernel refuses as a whole in the end, so that nothing changes.
///
/// # Errors
/// What the kernel does not take, or why it cannot be tried, in words.
pub(super) fn try_rules() -> Result<(), String> {
    let table = trial_table();
    let mut commands = table.replace_commands();
    commands.push(NftCommand::DelTable(table.id.clone()));
    // This one is refused in every case: the table is not there any more.
    commands.push(NftCommand::DelTable(table.id));
    let mut socket = NftSocket::open().map_err(|error| error.to_string())?;
    match socket.apply(&commands, None) {
        Err(Error::Refused { index, errno, .. })
            if (index, errno) == (commands.len() - 1, Errno::ENOENT) =>
        {
            Ok(())
        }
        Err(error) => Err(error.to_string()),
        Ok(()) => Err("it took a transaction that deletes a table twice".to_owned()),
    }
}

/// A rule of each kind that a policy becomes.
fn trial_table() -> NftTable {
    let prefix: IpNet = "192.0.2.0/24".parse().expect("a constant prefix");
    let version = IpVersion::V4;
    let end = AddressField::Source;
    let name = ToOwned::to_owned;
    let member = |set: &str| Term::Member {
        end,
        version,
        set: name(set),
        is: true,
    };
    let endpoint = Term::MemberEndpoint {
        end: AddressField::Destination,
        version,
        set: name("ports"),
    };
    let limit = Term::Limit { rate: 5, burst: 10 };
    let log = Term::Log {
        group: 70,
        prefix: name("probe"),
        snap_length: 128,
    };
    let states = vec![ConnectionState::Established, ConnectionState::Related];
    let ports = Term::Ports {
        protocol: IpProtocol::SCTP,
        ports: 1..=2,
    };
    let map = Term::LinkVerdict {
        way: Direction::In,
        map: name("pods"),
    };
    let pair = Term::MemberLinkPair {
        set: name("itself"),
    };
    let terms = [
        vec![Term::ConnectionStates(states)],
        vec![pair],
        vec![map],
        vec![member("addresses"), Term::NoTcpStart],
        vec![member("networks"), ports, limit, log],
        vec![Term::Prefix { end, prefix }, endpoint, Term::Counter],
    ];
    NftTable {
        id: TableId::new(TableFamily::Inet, "flatland-doctor"),
        sets: trial_sets(&prefix),
        chains: vec![NftChain {
            name: name("forward"),
            hook: Some(Hook::new("filter", Hook::FORWARD, Hook::FILTER)),
            rules: terms.into_iter().map(NftRule::new).collect(),
        }],
    }
}

/// A set of each kind.
fn trial_sets(prefix: &IpNet) -> Vec<NftSet> {
    let (version, address) = (IpVersion::V4, prefix.addr());
    // No interface has a name with a slash.
    let interface = || "flat/probe".to_owned();
    vec![
        NftSet::of_link_pairs("itself", [(interface(), interface())]),
        NftSet::of_link_verdicts("pods", [(interface(), NftVerdict::Return)]),
        NftSet::of_addresses("addresses", version, [address]),
        NftSet::of_endpoints("ports", version, [(address, IpProtocol::SCTP, 1)]),
        NftSet::of_prefixes("networks", version, [prefix]),
    ]
}
