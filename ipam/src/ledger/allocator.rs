//! Which address next: the choice, without the disk.
//!
//! Subnets are asked in the order in which the node came to own them, so that the later ones run
//! empty first and can be given back. Within one subnet an address that no pod ever had comes
//! first, in order; then the one that has been free for longest, once it has cooled down.
//!
//! A large subnet (an IPv6 /80 has 2^48 addresses) would never come to the second part, and what
//! is remembered of freed addresses would grow with every pod there ever was. So the first part
//! stops after [`WINDOW`] addresses and is taken up again when nothing inside has cooled down.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use ipnet::IpNet;

/// How many addresses of a subnet are used for the first time before freed ones are used again.
/// More than any /22 holds, and a few megabytes of memory if all of them have been freed.
pub(crate) const WINDOW: u128 = 1024;

/// The first address of `subnet` that a pod may have. Before it are the network's own address
/// (for IPv6 the subnet-router anycast address, RFC 4291 section 2.6.1) and the node's.
pub(crate) fn first(subnet: &IpNet) -> IpAddr {
    address(subnet, number(subnet.network()) + 2)
}

/// The last address of `subnet` that a pod may have: for IPv4 the one before broadcast.
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

/// The address after `address`, if pods may have it.
pub(crate) fn after(subnet: &IpNet, address: IpAddr) -> Option<IpAddr> {
    (address < last(subnet)).then(|| self::address(subnet, number(address) + 1))
}

/// `address`, or the next after it that pods may have and that none of `exclude` contains.
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

/// Whether a pod may have `address` from `subnet`.
pub fn is_usable(subnet: &IpNet, address: IpAddr) -> bool {
    subnet.contains(&address) && (first(subnet)..=last(subnet)).contains(&address)
}

/// How many addresses of `subnet` pods may have if `exclude`, of which no two overlap, are left
/// out.
pub fn usable(subnet: &IpNet, exclude: &[IpNet]) -> u128 {
    let (first, last) = (number(first(subnet)), number(last(subnet)));
    let same_family = |net: &&IpNet| net.addr().is_ipv4() == subnet.addr().is_ipv4();
    let excluded = exclude.iter().filter(same_family).map(|net| {
        let (from, to) = (number(net.network()), number(net.broadcast()));
        (to.min(last) + 1).saturating_sub(from.max(first))
    });
    last + 1 - first - excluded.sum::<u128>()
}

/// How many addresses that pods may have come before `address`.
fn position(subnet: &IpNet, address: IpAddr) -> u128 {
    number(address) - number(first(subnet))
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_bits().into(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

fn address(subnet: &IpNet, number: u128) -> IpAddr {
    match subnet {
        // Numbers of IPv4 addresses never leave their subnet here, so nothing is cut off.
        IpNet::V4(_) => Ipv4Addr::from_bits(u32::try_from(number).unwrap_or(u32::MAX)).into(),
        IpNet::V6(_) => Ipv6Addr::from_bits(number).into(),
    }
}

/// An address that has been given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Freed {
    /// The address.
    pub address: IpAddr,
    /// When, as time since boot.
    pub at: Duration,
}

/// What one subnet has to offer: of each kind the address that would be next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NextAddresses {
    /// The subnet.
    pub subnet: IpNet,
    /// The first address that no pod ever had.
    pub fresh: Option<IpAddr>,
    /// The address that has been free for longest.
    pub oldest: Option<Freed>,
}

/// An address to hand out, and where its subnet's bookkeeping has to move on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// One that no pod ever had.
    Fresh(IpNet, IpAddr),
    /// One that has been given back.
    Again(IpNet, Freed),
    /// One that was asked for by name.
    Named(IpNet, IpAddr),
}

impl Choice {
    /// The address.
    pub fn address(&self) -> IpAddr {
        match self {
            Self::Fresh(_, address) | Self::Named(_, address) => *address,
            Self::Again(_, freed) => freed.address,
        }
    }

    /// The subnet it is from.
    pub fn subnet(&self) -> IpNet {
        match self {
            Self::Fresh(subnet, _) | Self::Again(subnet, _) | Self::Named(subnet, _) => *subnet,
        }
    }
}

/// How willingly a subnet gives its next address; the smallest is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// Never used, or cooled down: no reason to look any further.
    Ready,
    /// Never used, beyond the window.
    Spare,
    /// Still cooling down, since then: the longest wins.
    Cooling(Duration),
}

/// Chooses among `stocks`, which are in the order in which the subnets came to the node. An
/// address freed less than `cool_down` before `now` is chosen only when there is no other. Asks
/// for no more stocks than it needs; the first error among them ends the search.
pub(crate) fn choose<E>(
    stocks: impl IntoIterator<Item = Result<NextAddresses, E>>,
    now: Duration,
    cool_down: Duration,
) -> Result<Option<Choice>, E> {
    let mut best: Option<(Rank, Choice)> = None;
    for stock in stocks {
        let Some((rank, choice)) = rank(&stock?, now, cool_down) else {
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

fn rank(stock: &NextAddresses, now: Duration, cool_down: Duration) -> Option<(Rank, Choice)> {
    let subnet = stock.subnet;
    let fresh = stock.fresh.map(|address| {
        let inside = position(&subnet, address) < WINDOW;
        (
            if inside { Rank::Ready } else { Rank::Spare },
            Choice::Fresh(subnet, address),
        )
    });
    let again = stock.oldest.map(|freed| {
        let cooled = now.saturating_sub(freed.at) >= cool_down;
        let rank = if cooled {
            Rank::Ready
        } else {
            Rank::Cooling(freed.at)
        };
        (rank, Choice::Again(subnet, freed))
    });
    match (fresh, again) {
        (Some(fresh), Some(again)) => Some(if again.0 < fresh.0 { again } else { fresh }),
        (fresh, again) => fresh.or(again),
    }
}

#[cfg(test)]
mod tests;
