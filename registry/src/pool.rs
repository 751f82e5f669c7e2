//! The free subnets of a pod CIDR, and which of them a node tries to claim first.

use std::hash::Hasher;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;

use ipnet::IpNet;
use siphasher::sip::SipHasher13;
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
        let address = match self.pod_cidr {
            IpNet::V4(_) => {
                let bits = u32::try_from(bits).expect("the subnet lies in an IPv4 pod CIDR");
                IpAddr::V4(Ipv4Addr::from_bits(bits))
            }
            IpNet::V6(_) => IpAddr::V6(Ipv6Addr::from_bits(bits)),
        };
        IpNet::new(address, self.length).expect("the length fits the family")
    }
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn net(text: &str) -> IpNet {
        text.parse().unwrap()
    }

    fn pool(pod_cidr: &str, length: u8, taken: &[&str]) -> Pool {
        let taken: Vec<IpNet> = taken.iter().map(|text| net(text)).collect();
        Pool::new(net(pod_cidr), length, &taken)
    }

    fn all_free(pool: &Pool) -> Vec<String> {
        (0..pool.free())
            .map(|n| pool.nth_free(n).unwrap().to_string())
            .collect()
    }

    #[test]
    fn free_subnets_overlap_no_taken_one() {
        let rows: [(&[&str], &[&str]); 7] = [
            (
                &[],
                &["10.0.0.0/24", "10.0.1.0/24", "10.0.2.0/24", "10.0.3.0/24"],
            ),
            (
                &["10.0.0.0/24"],
                &["10.0.1.0/24", "10.0.2.0/24", "10.0.3.0/24"],
            ),
            (
                &["10.0.3.0/24", "10.0.1.0/24"],
                &["10.0.0.0/24", "10.0.2.0/24"],
            ),
            (&["10.0.2.0/23"], &["10.0.0.0/24", "10.0.1.0/24"]),
            (
                &["10.0.1.128/25", "10.0.1.0/24"],
                &["10.0.0.0/24", "10.0.2.0/24", "10.0.3.0/24"],
            ),
            (
                &["11.0.0.0/24", "fd00::/64"],
                &["10.0.0.0/24", "10.0.1.0/24", "10.0.2.0/24", "10.0.3.0/24"],
            ),
            (&["10.0.0.0/8"], &[]),
        ];
        for (taken, free) in rows {
            assert_eq!(
                all_free(&pool("10.0.0.0/22", 24, taken)),
                free,
                "taken: {taken:?}"
            );
        }
    }

    #[test]
    fn huge_ipv6_pool_is_counted_and_indexed() {
        let pool = pool(
            "fd00:10:244::/56",
            80,
            &["fd00:10:244::/80", "fd00:10:244:0:1::/80"],
        );
        assert_eq!(pool.total(), 1 << 24);
        assert_eq!(pool.free(), (1 << 24) - 2);
        assert_eq!(pool.nth_free(0), Some(net("fd00:10:244:0:2::/80")));
        assert_eq!(
            pool.nth_free(pool.free() - 1),
            Some(net("fd00:10:244:ff:ffff::/80"))
        );
        assert_eq!(pool.nth_free(pool.free()), None);
    }

    #[test]
    fn pool_of_any_size_can_be_used_up() {
        for (pod_cidr, length) in [("10.0.0.0/24", 24), ("0.0.0.0/0", 30), ("::/0", 126)] {
            let pool = pool(pod_cidr, length, &[]);
            let last = pool.nth_free(pool.total() - 1).unwrap();
            assert!(pool.is_free(&last));
            assert!(net(pod_cidr).contains(&last));
            assert_eq!(pool.nth_free(pool.total()), None);
        }
    }

    #[test]
    fn subnet_of_another_length_is_not_free() {
        let pool = pool("10.0.0.0/22", 24, &["10.0.1.0/24"]);
        assert!(pool.is_free(&net("10.0.0.0/24")));
        for other in [
            "10.0.1.0/24",
            "10.0.0.0/25",
            "10.0.0.0/23",
            "10.1.0.0/24",
            "fd00::/24",
        ] {
            assert!(!pool.is_free(&net(other)), "{other}");
        }
    }

    #[test]
    fn node_chooses_the_same_subnet_until_it_loses_a_race() {
        let pool = pool("10.0.0.0/12", 24, &[]);
        let node: NodeName = "node-1".parse().unwrap();
        assert_eq!(pool.choose(&node, 0), pool.choose(&node, 0));
        assert_ne!(pool.choose(&node, 0), pool.choose(&node, 1));
    }

    #[test]
    fn nodes_that_start_together_spread_over_the_pool() {
        let pool = pool("10.0.0.0/12", 24, &[]);
        let chosen: BTreeSet<_> = (0..500)
            .map(|n| {
                pool.choose(&format!("node-{n}").parse().unwrap(), 0)
                    .unwrap()
            })
            .collect();
        assert!(chosen.len() > 450, "only {} of 500 differ", chosen.len());
    }

    #[test]
    fn full_pool_gives_no_choice() {
        let pool = pool("10.0.0.0/23", 24, &["10.0.0.0/24", "10.0.1.0/24"]);
        assert_eq!(pool.choose(&"node-1".parse().unwrap(), 0), None);
    }
}
