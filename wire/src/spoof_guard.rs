//! The guard against forged addresses, which `routed` keeps in the packet filter: what a pod sends
//! under an address that does not lead back to it is dropped, IPv4 and IPv6.

use crate::netlink::Error;
use crate::nft::{Family, Socket, TableId};

/// The chain of our table that is the guard.
pub const CHAIN: &str = "spoof-guard";

/// Our table of the packet filter.
pub fn table() -> TableId {
    TableId::new(Family::Inet, "flatland")
}

/// Whether the guard is there, in the network namespace of the calling thread. It stays when `routed`
/// ends.
pub fn is_installed() -> Result<bool, Error> {
    let chain = Socket::open()?.base_chain(&table(), CHAIN)?;
    Ok(chain.is_some_and(|chain| chain.size > 0))
}
