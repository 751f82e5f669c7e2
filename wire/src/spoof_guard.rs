//! The spoof guard: the nftables chain of `routed` that drops packets from a pod with a source
//! address that is not the pod's (IPv4 and IPv6).

use crate::netlink::Error;
use crate::nft::{NftSocket, TableFamily, TableId};

/// The name of the chain.
pub const CHAIN: &str = "spoof-guard";

/// Flatland's nftables table.
pub fn table() -> TableId {
    TableId::new(TableFamily::Inet, "flatland")
}

/// Whether the guard is installed in the network namespace of the calling thread. It stays when
/// `routed` ends.
pub fn is_installed() -> Result<bool, Error> {
    let chain = NftSocket::open()?.base_chain(&table(), CHAIN)?;
    Ok(chain.is_some_and(|chain| chain.size > 0))
}
