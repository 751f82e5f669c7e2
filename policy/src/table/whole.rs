//! The whole table, for the start and after another program changed it.

use policy::rules::{PeerSet, Ruleset, SetContent, SetElement, SetId, TrafficDirection};
use wire::IpProtocol;
use wire::nft::{
    ConnectionState, Direction, Hook, IpVersion, NftChain, NftRule, NftSet, NftTable, NftVerdict,
    Term,
};

use super::rules::{DropSite, chain, dropping, only_started};
use super::{
    FORWARD, HOST_INTERFACES, ITSELF, Pods, STARTED, UNDECIDED, VERSIONS, entry_chain,
    port_set_name, set_name, table_id, verdict_map,
};

/// The table with these rules, for these pods.
pub(crate) fn whole_table(ruleset: &Ruleset, pods: &Pods) -> NftTable {
    let itself = pods
        .keys()
        .map(|interface| (interface.clone(), interface.clone()));
    let mut sets = vec![NftSet::of_link_pairs(ITSELF, itself)];
    sets.extend(TrafficDirection::ALL.map(|direction| verdicts(pods, direction)));
    sets.extend(
        ruleset
            .sets
            .iter()
            .flat_map(|(id, set)| kernel_sets(*id, set)),
    );
    let mut chains = vec![forward()];
    chains.extend(TrafficDirection::ALL.map(entry));
    chains.push(NftChain {
        name: STARTED.to_owned(),
        hook: None,
        rules: vec![only_started()],
    });
    chains.extend(
        ruleset
            .chains
            .iter()
            .map(|(id, it)| chain(ruleset, *id, it)),
    );
    NftTable {
        id: table_id(),
        sets,
        chains,
    }
}

fn verdicts(pods: &Pods, direction: TrafficDirection) -> NftSet {
    let elements = pods
        .iter()
        .filter_map(|(interface, of_pod)| Some((interface.clone(), of_pod.verdict(direction)?)));
    NftSet::of_link_verdicts(verdict_map(direction), elements)
}

/// The sets that a set of the rules is in the kernel: one of each family if it has addresses.
pub(super) fn kernel_sets(id: SetId, set: &PeerSet) -> Vec<NftSet> {
    let made = match &set.content {
        SetContent::PortRanges(ranges) => {
            let ranges = ranges.iter().map(|it| it.first..=it.last);
            vec![NftSet::of_port_ranges(&port_set_name(id), ranges)]
        }
        _ => VERSIONS.map(|version| address_set(id, set, version)).into(),
    };
    let described = made.into_iter().map(|it| it.comment(&set.description));
    described.collect()
}

/// The names of [`kernel_sets`].
pub(super) fn kernel_set_names(id: SetId, set: &PeerSet) -> Vec<String> {
    match &set.content {
        SetContent::PortRanges(_) => vec![port_set_name(id)],
        _ => VERSIONS.map(|version| set_name(id, version)).into(),
    }
}

fn address_set(id: SetId, set: &PeerSet, version: IpVersion) -> NftSet {
    let name = set_name(id, version);
    if let SetContent::Networks(networks) = &set.content {
        return NftSet::of_prefixes(&name, version, networks.iter());
    }
    let elements = set.elements().into_iter().flatten();
    if let SetContent::NamedPorts(_) = &set.content {
        let endpoints = elements.filter_map(|it| match it {
            SetElement::Port(address, protocol, port) => {
                Some((*address, IpProtocol(protocol.number()), *port))
            }
            SetElement::Address(_) => None,
        });
        return NftSet::of_endpoints(&name, version, endpoints);
    }
    NftSet::of_addresses(&name, version, elements.map(SetElement::address))
}

/// Established first: policies judge the beginning of a connection.
fn forward() -> NftChain {
    let jump = |way, direction| {
        let link = Term::Link {
            way,
            prefix: HOST_INTERFACES.to_owned(),
            is: true,
        };
        let chain = entry_chain(direction).to_owned();
        NftRule::new([link, Term::Verdict(NftVerdict::Jump(chain))])
    };
    let states = vec![ConnectionState::Established, ConnectionState::Related];
    let accept = || Term::Verdict(NftVerdict::Accept);
    let pair = Term::MemberLinkPair {
        set: ITSELF.to_owned(),
    };
    NftChain {
        name: FORWARD.to_owned(),
        hook: Some(Hook::new("filter", Hook::FORWARD, Hook::FILTER)),
        rules: vec![
            NftRule::new([Term::ConnectionStates(states), accept()]),
            NftRule::new([pair, accept()]),
            jump(Direction::In, TrafficDirection::Egress),
            jump(Direction::Out, TrafficDirection::Ingress),
        ],
    }
}

/// The pod's own chain, or closed.
fn entry(direction: TrafficDirection) -> NftChain {
    let way = match direction {
        TrafficDirection::Egress => Direction::In,
        TrafficDirection::Ingress => Direction::Out,
    };
    let map = Term::LinkVerdict {
        way,
        map: verdict_map(direction).to_owned(),
    };
    let site = DropSite::Undecided(direction);
    let mut rules = vec![NftRule::new([map])];
    rules.extend(dropping(&[], site, UNDECIDED));
    NftChain {
        name: entry_chain(direction).to_owned(),
        hook: None,
        rules,
    }
}
