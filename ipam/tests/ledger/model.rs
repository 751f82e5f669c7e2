//! What must hold in random sequences of operations, as far as it is known from outside.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use crate::common::{COOL_DOWN, Interruption, START, TestNode, names, pod};

/// Fewer addresses than pods in either family, and two subnets in one family.
pub(crate) const POOLS: &[&[&str]] = &[&["10.9.0.0/30", "10.9.0.8/29"], &["fd00::/125"]];
pub(crate) const EXCLUDE: &[&str] = &["10.9.0.11/32", "fd00::6/128"];
pub(crate) const PODS: u8 = 8;
pub(crate) const CAPACITY: usize = 5;
/// A further subnet of the first family, and its number of addresses.
pub(crate) const FURTHER: &str = "10.9.0.16/30";
pub(crate) const FURTHER_CAPACITY: usize = 1;

/// What must hold, as far as it is known from outside.
pub(crate) struct Model {
    pub(crate) node: TestNode,
    pub(crate) now: Duration,
    /// The addresses of each pod without a DEL in progress.
    pub(crate) held: BTreeMap<u8, Vec<IpAddr>>,
    /// Pods whose last operation was interrupted: they may hold addresses or not.
    pub(crate) unsure: BTreeSet<u8>,
    /// Files of freed addresses were removed, and their cool-down with them. The
    /// queues do not have such addresses until no other is left.
    pub(crate) has_discarded: bool,
    /// Files of the ledger were removed and not restored since.
    pub(crate) is_wiped: bool,
}

impl Model {
    pub(crate) fn new() -> Self {
        let mut node = TestNode::new(POOLS);
        node.exclude = EXCLUDE.iter().map(|net| net.parse().unwrap()).collect();
        Self {
            node,
            now: START,
            held: BTreeMap::new(),
            unsure: BTreeSet::new(),
            has_discarded: false,
            is_wiped: false,
        }
    }

    /// The owners of the addresses: from the files, and as the kernel knows them.
    pub(crate) fn owners(&self) -> BTreeMap<IpAddr, u8> {
        let mut owners = self.taken();
        for (who, held) in &self.held {
            owners.extend(held.iter().map(|address| (*address, *who)));
        }
        owners
    }

    pub(crate) fn freed(&self) -> Vec<String> {
        names(&self.node.path("freed"))
    }

    pub(crate) fn has_grown(&self) -> bool {
        self.node.pools[0].len() > POOLS[0].len()
    }

    /// The number of held addresses of a subnet, from the ledger's own count.
    pub(crate) fn used(&self, subnet: &ipnet::IpNet) -> u64 {
        let exclude = &self.node.exclude;
        let ledger = self.node.ledger(Interruption::None).unwrap();
        let usage = ledger
            .usage(&[*subnet], exclude, COOL_DOWN, self.now)
            .unwrap()[0];
        let held = self
            .taken()
            .into_keys()
            .filter(|it| subnet.contains(it))
            .count();
        let ready = self
            .ready()
            .into_iter()
            .filter(|it| subnet.contains(it))
            .count();
        assert_eq!(usage.held, held as u64, "{usage:?}");
        if !self.is_wiped {
            assert_eq!(usage.available(), ready as u128, "{usage:?}");
        }
        usage.held
    }

    /// The holder of each address, from the files.
    pub(crate) fn taken(&self) -> BTreeMap<IpAddr, u8> {
        let inventory = self.node.inventory();
        assert!(
            inventory.damaged.is_empty() && inventory.foreign.is_empty(),
            "{inventory:?}"
        );
        let owner = |id: &str| id.strip_prefix("pod").unwrap().parse().unwrap();
        let held = inventory.held.iter();
        held.map(|(address, allocation)| (*address, owner(&allocation.container_id)))
            .collect()
    }

    /// The free addresses that were never used or have cooled down.
    pub(crate) fn ready(&self) -> BTreeSet<IpAddr> {
        let taken = self.owners();
        let subnets = self.node.pools.iter().flatten();
        let addresses = subnets.flat_map(|subnet| {
            let all = match subnet {
                ipnet::IpNet::V4(net) => ipnet::Ipv4AddrRange::new(net.network(), net.broadcast())
                    .map(IpAddr::from)
                    .collect::<Vec<_>>(),
                ipnet::IpNet::V6(net) => ipnet::Ipv6AddrRange::new(net.network(), net.broadcast())
                    .map(IpAddr::from)
                    .collect(),
            };
            all.into_iter()
                .filter(|address| ipam::is_usable(subnet, *address))
        });
        let cooled = |address: &IpAddr| {
            let freed = self.node.freed_at(*address);
            freed.is_none_or(|at| self.now.saturating_sub(at) >= COOL_DOWN)
        };
        let excluded = |address: &IpAddr| self.node.exclude.iter().any(|it| it.contains(address));
        addresses
            .filter(|address| !excluded(address) && !taken.contains_key(address))
            .filter(cooled)
            .collect()
    }

    pub(crate) fn check(&self) {
        let taken = self.taken();
        for (who, addresses) in &self.held {
            for address in addresses {
                let owner = taken.get(address);
                let is_lost = owner.is_none() && self.is_wiped;
                assert!(is_lost || owner == Some(who), "{who} lost {address}");
            }
        }
        let mut seen = BTreeSet::new();
        for (address, who) in &taken {
            let known = self
                .held
                .get(who)
                .is_some_and(|held| held.contains(address));
            assert!(
                known || self.unsure.contains(who),
                "{who} holds {address} for ever"
            );
            assert!(
                seen.insert((who, address.is_ipv4())),
                "{who} holds two of a family"
            );
        }
    }
}

/// The attachment of a pod.
pub(crate) fn name(who: u8) -> wire::cni::Attachment {
    pod(&format!("pod{who}"))
}
