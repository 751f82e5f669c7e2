//! Turns errors of netlink and network namespaces into CNI errors with advice.

use std::path::Path;

use nix::errno::Errno;
use wire::cni::{self, code};
use wire::netlink;
use wire::netns::Netns;

/// The CNI error of a netlink operation that failed while `doing` something, with advice if there
/// is something to do about the cause.
pub(crate) fn kernel(doing: &str, error: &netlink::Error) -> cni::Error {
    let failed = cni::Error::new(code::IO, format!("{doing}: {error}"));
    if matches!(error, netlink::Error::Interrupted { .. }) {
        return cni::Error {
            code: code::TRY_AGAIN,
            ..failed
        };
    }
    match error.errno() {
        Some(Errno::EPERM | Errno::EACCES) => failed.advise(
            "run as root: this takes CAP_NET_ADMIN on the node and in the pod's network namespace; \
             if only IPv6 fails, it is disabled there (net.ipv6.conf.*.disable_ipv6)",
        ),
        Some(Errno::EOPNOTSUPP) => {
            failed.advise("the kernel lacks veth or policy routing support: load the veth module")
        }
        _ => failed,
    }
}

/// Opens the network namespace of a pod. The plugin's own one is refused: the interfaces in it are
/// those of the node.
pub(crate) fn open_pod(path: &Path) -> Result<Netns, cni::Error> {
    let netns = Netns::open(path).map_err(|error| namespace(&error))?;
    if netns.is_own() {
        let msg = format!(
            "{} is the network namespace of the node, not of a pod",
            path.display()
        );
        return Err(cni::Error::new(code::INVALID_ENVIRONMENT, msg)
            .advise("CNI_NETNS must be another one: a pod in the host's network needs no ADD"));
    }
    Ok(netns)
}

/// The CNI error of a pod's network namespace that cannot be opened or entered.
pub(crate) fn namespace(error: &wire::netns::Error) -> cni::Error {
    use wire::netns::Error;
    let advice = match error {
        Error::Open { .. } | Error::Foreign { .. } => {
            "CNI_NETNS must be the path of the pod's network namespace, e.g. /run/netns/NAME"
        }
        Error::Enter { .. } | Error::Socket { .. } => {
            "run as root: entering a network namespace takes CAP_SYS_ADMIN"
        }
    };
    cni::Error::new(code::INVALID_ENVIRONMENT, error.to_string()).advise(advice)
}
