//! What `flatland-policy`, which enforces Kubernetes' NetworkPolicies, shows the other programs of the
//! node: its lock, its mark and its table. Only commands ask it.

use std::io;
use std::path::Path;

use crate::file_lock;
use crate::netlink::Error;
use crate::nft::{NftSocket, TableFamily, TableId};
use crate::paths::{POLICY_LOCK, POLICY_READY};

/// Its nftables table, which stays when the program ends: running pods keep their rules, and pods
/// that are not in it are closed.
pub fn table() -> TableId {
    TableId::new(TableFamily::Inet, "flatland-policy")
}

/// Whether the table is in the kernel, in the network namespace of the calling thread.
pub fn has_table() -> Result<bool, Error> {
    Ok(NftSocket::open()?.table(&table())?.0.is_some())
}

/// Whether the program has put its table into the kernel since the boot. One look at a file, as it
/// is on the path of ADD.
pub fn has_been_ready() -> bool {
    Path::new(POLICY_READY).exists()
}

/// Whether the program runs now.
///
/// # Errors
/// That of the operating system, if the lock file cannot be opened: only root may.
pub fn is_running() -> io::Result<bool> {
    file_lock::is_held(Path::new(POLICY_LOCK))
}
