//! Applies requests to a link on which IPv6 may be disabled (`disable_ipv6`), and enables it there.

use nix::errno::Errno;
use wire::cni::{Error, code};
use wire::netlink::{self, NetlinkRequest, NetlinkSocket};
use wire::sysctl;

use crate::error::kernel;

/// Applies requests for a link. If the kernel refuses one because IPv6 is disabled on the link, it is
/// enabled, and what was refused is applied again. Where it is enabled, this costs nothing.
pub(crate) fn apply_all(
    socket: &mut NetlinkSocket,
    requests: &[NetlinkRequest],
    doing: &str,
    enable: impl FnOnce() -> Result<(), Error>,
) -> Result<(), Error> {
    let failed = |error: &netlink::Error| kernel(doing, error);
    let failures = socket.apply(requests).map_err(|error| failed(&error))?;
    let Some(first) = failures.first() else {
        return Ok(());
    };
    // `addrconf_add_ifaddr`, `fib6_nh_init`: "IPv6 is disabled on ..."
    if first.errno() != Some(Errno::EACCES) {
        return Err(failed(first));
    }
    enable()?;
    let refused: Vec<NetlinkRequest> = failures
        .iter()
        .filter_map(|failure| match failure {
            netlink::Error::Refused { index, .. } => requests.get(*index).cloned(),
            _ => None,
        })
        .collect();
    socket.apply_all(&refused).map_err(|error| failed(&error))
}

/// Enables IPv6 on these links of the calling thread's namespace.
pub(crate) fn enable(links: &[&str]) -> Result<(), Error> {
    for link in links {
        sysctl::ensure(&format!("net/ipv6/conf/{link}/disable_ipv6"), "0").map_err(|error| {
            let msg = format!("IPv6 is disabled on {link}, and cannot be enabled: {error}");
            Error::new(code::IO, msg)
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
