//! Chooses the next address to hand out, without access to the disk.
//!
//! Subnets are used in the order in which the node got them, so that the later ones become empty
//! first and can be given back. Within a subnet, an address that no pod ever had comes first, in
//! order. Then comes the address that has been free for longest, once its cool-down is over.
//!
//! A large subnet (an IPv6 /80 has 2^48 addresses) would never reuse an address, and the list of
//! freed addresses would grow with every pod. So fresh addresses are limited to the first
//! [`WINDOW`]; more of them are used only when no freed address inside has cooled down.

use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;
use wire::address_number::{self, number};

/// How many addresses of a subnet are used for the first time before freed ones are reused. More
/// than any /22 holds; a few megabytes of memory if all of them have been freed.
pub(crate) const WINDOW: u128 = 1024;

/// The first address of `subnet` for pods. Before it are the network's address (for IPv6 the
/// subnet-router anycast address, RFC 4291 section 2.6.1) and the node's address.
pub(crate) fn first(subnet: &IpNet) -> IpAddr {
    address(subnet, number(subnet.network()) + 2)
}

/// The last address of `subnet` for pods: for IPv4 the one before the broadcast address.
pub(crate) fn last(subnet: &IpNet) -> IpAddr {
    let end = number(subnet.broadcast());
    address(
        subnet,
        if subnet.addr().is_ipv4() {
            end - 1
        } else {
            end
        },
    )
}

/// The address after `address`, if it is for pods.
pub(crate) fn after(subnet: &IpNet, address: IpAddr) -> Option<IpAddr> {
    (address < last(subnet)).then(|| self::address(subnet, number(address) + 1))
}

/// `address`, or the next one after it for pods that none of `exclude` contains.
pub(crate) fn skip(subnet: &IpNet, address: IpAddr, exclude: &[IpNet]) -> Option<IpAddr> {
    let mut next = address;
    while let Some(net) = exclude.iter().find(|net| net.contains(&next)) {
        next = after(subnet, net.broadcast())?;
    }
    Some(next)
}

/// Whether one of `exclude` contains `address`.
pub(crate) fn is_excluded(address: IpAddr, exclude: &[IpNet]) -> bool {
    exclude.iter().any(|net| net.contains(&address))
}

/// Whether `address` is in `subnet` and for pods.
pub fn is_usable(subnet: &IpNet, address: IpAddr) -> bool {
    subnet.contains(&address) && (first(subnet)..=last(subnet)).contains(&address)
}

/// The number of addresses of `subnet` for pods, without those in `exclude`, of which no two
/// overlap.
pub fn usable(subnet: &IpNet, exclude: &[IpNet]) -> u128 {
    let (first, last) = (number(first(subnet)), number(last(subnet)));
    let same_family = |net: &&IpNet| net.addr().is_ipv4() == subnet.addr().is_ipv4();
    let excluded = exclude.iter().filter(same_family).map(|net| {
        let (from, to) = (number(net.network()), number(net.broadcast()));
        (to.min(last) + 1).saturating_sub(from.max(first))
    });
    last + 1 - first - excluded.sum::<u128>()
}

/// The position of `address` among the addresses for pods.
fn position(subnet: &IpNet, address: IpAddr) -> u128 {
    number(address) - number(first(subnet))
}

fn address(subnet: &IpNet, number: u128) -> IpAddr {
    address_number::address(subnet.addr().is_ipv4(), number)
}

/// An address that was freed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Freed {
    /// The address.
    pub address: IpAddr,
    /// When it was freed, as time since boot.
    pub at: Duration,
}

/// The next address of each kind in one subnet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NextAddresses {
    /// The subnet.
    pub subnet: IpNet,
    /// The first address that no pod ever had.
    pub fresh: Option<IpAddr>,
    /// The address that has been free for longest.
    pub oldest: Option<Freed>,
}

/// The chosen address. The variant says how the queue of its subnet has to advance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// An address that no pod ever had.
    Fresh(IpNet, IpAddr),
    /// A freed address.
    Reused(IpNet, Freed),
    /// An address that was requested by name.
    Requested(IpNet, IpAddr),
}

impl Choice {
    /// The address.
    pub fn address(&self) -> IpAddr {
        match self {
            Self::Fresh(_, address) | Self::Requested(_, address) => *address,
            Self::Reused(_, freed) => freed.address,
        }
    }

    /// The subnet that it belongs to.
    pub fn subnet(&self) -> IpNet {
        match self {
            Self::Fresh(subnet, _) | Self::Reused(subnet, _) | Self::Requested(subnet, _) => {
                *subnet
            }
        }
    }
}

/// The order of preference; the smallest rank is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// Never used and inside the window, or cooled down: the search can end.
    Ready,
    /// Never used, outside the window.
    Spare,
    /// Still cooling down. Freed at this time; the earliest is chosen.
    Cooling(Duration),
}

/// Chooses among `offers`, which are in the order in which the node got the subnets. An address
/// freed less than `cool_down` before `now` is chosen only if there is no other. Reads no more
/// stocks than necessary. The first error ends the search.
pub(crate) fn choose<E>(
    offers: impl IntoIterator<Item = Result<NextAddresses, E>>,
    now: Duration,
    cool_down: Duration,
) -> Result<Option<Choice>, E> {
    let mut best: Option<(Rank, Choice)> = None;
    for offer in offers {
        let Some((rank, choice)) = rank(&offer?, now, cool_down) else {
            continue;
        };
        if rank == Rank::Ready {
            return Ok(Some(choice));
        }
        if best.is_none_or(|(other, _)| rank < other) {
            best = Some((rank, choice));
        }
    }
    Ok(best.map(|(_, choice)| choice))
}

fn rank(offer: &NextAddresses, now: Duration, cool_down: Duration) -> Option<(Rank, Choice)> {
    let subnet = offer.subnet;
    let fresh = offer.fresh.map(|address| {
        let inside = position(&subnet, address) < WINDOW;
        (
            if inside { Rank::Ready } else { Rank::Spare },
            Choice::Fresh(subnet, address),
        )
    });
    let again = offer.oldest.map(|freed| {
        let cooled = now.saturating_sub(freed.at) >= cool_down;
        let rank = if cooled {
            Rank::Ready
        } else {
            Rank::Cooling(freed.at)
        };
        (rank, Choice::Reused(subnet, freed))
    });
    match (fresh, again) {
        (Some(fresh), Some(again)) => Some(if again.0 < fresh.0 { again } else { fresh }),
        (fresh, again) => fresh.or(again),
    }
}

#[cfg(test)]
mod tests;
