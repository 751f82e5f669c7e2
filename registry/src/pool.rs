//! The free subnets of a pod CIDR, and which of them a node tries to claim first.

use std::hash::Hasher;
use std::ops::RangeInclusive;

use ipnet::IpNet;
use siphasher::sip::SipHasher13;
use wire::address_number::{self, number as bits};
use wire::node::NodeName;

/// The subnets of one length in one pod CIDR, numbered from 0, and which of them are taken.
#[derive(Debug)]
pub(crate) struct Pool {
    pod_cidr: IpNet,
    length: u8,
    /// Sorted; no two ranges touch or overlap.
    taken: Vec<RangeInclusive<u128>>,
}

impl Pool {
    /// `length` is at least the prefix length of `pod_cidr`. Entries of `taken` outside the pod
    /// CIDR are skipped; an entry of another length takes every subnet that it overlaps.
    pub(crate) fn new<'a>(
        pod_cidr: IpNet,
        length: u8,
        taken: impl IntoIterator<Item = &'a IpNet>,
    ) -> Self {
        let mut pool = Self {
            pod_cidr,
            length,
            taken: Vec::new(),
        };
        let mut ranges: Vec<_> = taken
            .into_iter()
            .filter_map(|subnet| pool.numbers(subnet))
            .collect();
        ranges.sort_unstable_by_key(|range| *range.start());
        for range in ranges {
            match pool.taken.last_mut() {
                Some(last) if *range.start() <= last.end().saturating_add(1) => {
                    *last = *last.start()..=*range.end().max(last.end());
                }
                _ => pool.taken.push(range),
            }
        }
        pool
    }

    /// The number of subnets.
    pub(crate) fn total(&self) -> u128 {
        1 << u32::from(self.length - self.pod_cidr.prefix_len()).min(127)
    }

    /// The number of free subnets.
    pub(crate) fn free(&self) -> u128 {
        let taken: u128 = self
            .taken
            .iter()
            .map(|range| range.end() - range.start() + 1)
            .sum();
        self.total() - taken
    }

    pub(crate) fn is_free(&self, subnet: &IpNet) -> bool {
        subnet.prefix_len() == self.length
            && self.numbers(subnet).is_some_and(|numbers| {
                !self
                    .taken
                    .iter()
                    .any(|range| range.contains(numbers.start()))
            })
    }

    /// The free subnet that `node` tries in attempt `attempt`. The choice is a hash of both, so
    /// that nodes which start together rarely choose the same subnet, and choose differently after
    /// a collision.
    pub(crate) fn choose(&self, node: &NodeName, attempt: u32) -> Option<IpNet> {
        let free = self.free();
        if free == 0 {
            return None;
        }
        let mut hash = SipHasher13::new();
        hash.write(node.as_str().as_bytes());
        hash.write_u32(attempt);
        self.nth_free(u128::from(hash.finish()) % free)
    }

    fn nth_free(&self, n: u128) -> Option<IpNet> {
        let mut number = n;
        for range in &self.taken {
            if *range.start() > number {
                break;
            }
            number += range.end() - range.start() + 1;
        }
        (number < self.total()).then(|| self.subnet(number))
    }

    /// The numbers of the subnets that `subnet` overlaps.
    fn numbers(&self, subnet: &IpNet) -> Option<RangeInclusive<u128>> {
        if subnet.contains(&self.pod_cidr) {
            return Some(0..=self.total() - 1);
        }
        if !self.pod_cidr.contains(subnet) {
            return None;
        }
        let host_bits = u32::from(self.pod_cidr.max_prefix_len() - self.length);
        let number = |address| (bits(address) - bits(self.pod_cidr.network())) >> host_bits;
        Some(number(subnet.network())..=number(subnet.broadcast()))
    }

    fn subnet(&self, number: u128) -> IpNet {
        let host_bits = u32::from(self.pod_cidr.max_prefix_len() - self.length);
        let bits = bits(self.pod_cidr.network()) + (number << host_bits);
        let address = address_number::address(self.pod_cidr.addr().is_ipv4(), bits);
        IpNet::new(address, self.length).expect("the length fits the family")
    }
}

#[cfg(test)]
mod tests;
