//! What `flatland-policy`, which enforces Kubernetes' NetworkPolicies, shows the other programs of the
//! node: its lock, its mark and its table. Only commands ask it.

use std::io;
use std::net::IpAddr;
use std::path::Path;

use serde::{Deserialize, Serialize};

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

/// What the policies say of a connection between two pods.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyAnswer {
    /// Whether both ends allow it, in all address families that both pods have.
    pub is_allowed: bool,
    /// The first of the addresses of the pod that begins it.
    pub source: IpAddr,
    /// The first of the addresses of the pod that is to answer.
    pub destination: IpAddr,
    /// The steps and the verdict of each end, for each pair of addresses.
    pub lines: Vec<String>,
}

/// The page that explains a connection from one pod to a port (`5432/tcp`) of another; pods are names
/// (`NAMESPACE/NAME`) or addresses.
///
/// # Errors
/// What of it is none of these, in words.
pub fn explain_page(from: &str, to: &str, port: &str) -> Result<String, String> {
    let (number, protocol) = port.split_once('/').unwrap_or((port, "tcp"));
    for (what, value) in [
        ("pod", from),
        ("pod", to),
        ("port", number),
        ("protocol", protocol),
    ] {
        let is_allowed = |it: char| it.is_ascii_alphanumeric() || "-./:".contains(it);
        if value.is_empty() || !value.chars().all(is_allowed) {
            return Err(format!("{value:?} is no {what}"));
        }
    }
    Ok(format!(
        "/explain?from={from}&to={to}&protocol={protocol}&port={number}"
    ))
}
