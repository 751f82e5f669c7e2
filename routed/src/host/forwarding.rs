//! Switches IP forwarding on (`ip_forward`, `forwarding`) for the families of the pod CIDRs.

use std::io;

use registry::Network;
use tracing::{error, info};
use wire::netlink::RouteFilter;
use wire::sysctl;

use crate::kernel::Netlink;
use crate::log::OnChange;

const IPV4: &str = "net/ipv4/ip_forward";
const IPV6: &str = "net/ipv6/conf/all/forwarding";

/// `RTPROT_RA` (`include/uapi/linux/rtnetlink.h`): routes learned from router advertisements.
const RTPROT_RA: u8 = 9;

/// Why the node does not forward.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The kernel's routes could not be listed.
    #[error(transparent)]
    Netlink(#[from] wire::netlink::Error),
    /// A setting could not be read or changed; the message names it.
    #[error(transparent)]
    Setting(#[from] io::Error),
}

/// Whether the node forwards.
#[derive(Debug, Default)]
pub(super) struct Forwarding {
    is_on: bool,
    failure: OnChange,
}

impl Forwarding {
    /// Whether the node forwarded at the last [`Self::ensure`].
    pub(super) fn is_on(&self) -> bool {
        self.is_on
    }

    /// Why it does not forward.
    pub(super) fn failure(&self) -> Option<&str> {
        self.failure.current()
    }

    /// Switches forwarding on where it is off. Returns whether the node forwards.
    pub(super) fn ensure(&mut self, kernel: &mut Netlink, network: &Network) -> bool {
        let result = ensure(kernel, network);
        self.is_on = result.is_ok();
        match result {
            Ok(changed) => {
                if !changed.is_empty() {
                    info!("forwarding switched on: {}", changed.join(", "));
                }
                self.failure.clear();
            }
            Err(error) => {
                let text = format!("this node does not forward packets for its pods: {error}");
                if self.failure.changed(&text) {
                    error!(%error, "{text}");
                }
            }
        }
        self.is_on
    }
}

/// Switches forwarding on where it is off. Returns the settings that were changed, as `name =
/// value`.
pub(crate) fn ensure(kernel: &mut Netlink, network: &Network) -> Result<Vec<String>, Error> {
    let has_family = |v4: bool| {
        let mut cidrs = network.pod_cidrs.iter();
        cidrs.any(|cidr| cidr.addr().is_ipv4() == v4)
    };
    let mut changed = Vec::new();
    if has_family(true) {
        set(IPV4, "1", &mut changed)?;
    }
    if has_family(false) {
        for link in links_with_learned_default(kernel)? {
            keep_advertisements(&link, &mut changed)?;
        }
        set(IPV6, "1", &mut changed)?;
    }
    Ok(changed)
}

/// A host that forwards ignores router advertisements, and the kernel drops the default routes that
/// it learned from them, unless `accept_ra` is 2 (`Documentation/networking/ip-sysctl.rst`).
/// Without this, a node that has its address and its default route by SLAAC would lose both.
fn keep_advertisements(link: &str, changed: &mut Vec<String>) -> io::Result<()> {
    let setting = format!("net/ipv6/conf/{link}/accept_ra");
    match sysctl::read(&setting)?.as_str() {
        "1" => set(&setting, "2", changed),
        _ => Ok(()),
    }
}

fn links_with_learned_default(kernel: &mut Netlink) -> Result<Vec<String>, wire::netlink::Error> {
    kernel.with(|socket| {
        let mut names = Vec::new();
        for route in socket.routes(RouteFilter {
            protocol: Some(RTPROT_RA),
        })? {
            let is_default = route.dst.prefix_len() == 0 && route.dst.addr().is_ipv6();
            if let (true, Some(index)) = (is_default, route.dev)
                && let Some(link) = socket.link_by_index(index)?
            {
                names.push(link.name);
            }
        }
        Ok(names)
    })
}

fn set(name: &str, value: &str, changed: &mut Vec<String>) -> io::Result<()> {
    if sysctl::ensure(name, value)? {
        changed.push(format!("{} = {value}", name.replace('/', ".")));
    }
    Ok(())
}
