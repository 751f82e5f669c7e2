//! Makes the node a router for the families of its network.

use std::io;

use registry::Network;
use wire::netlink::RouteFilter;
use wire::sysctl;

use crate::kernel::Netlink;

const IPV4: &str = "net/ipv4/ip_forward";
const IPV6: &str = "net/ipv6/conf/all/forwarding";

/// `RTPROT_RA` (`include/uapi/linux/rtnetlink.h`): routes learned from router advertisements.
const LEARNED: u8 = 9;

/// Why the node does not forward.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The kernel's routes could not be listed.
    #[error(transparent)]
    Netlink(#[from] wire::netlink::Error),
    /// A setting could not be read or made; the message names it.
    #[error(transparent)]
    Setting(#[from] io::Error),
}

/// Switches forwarding on where it is off. Returns what had to be changed, in words.
pub(crate) fn ensure(kernel: &mut Netlink, network: &Network) -> Result<Vec<String>, Error> {
    let uses = |v4: bool| {
        network
            .pod_cidrs
            .iter()
            .any(|cidr| cidr.addr().is_ipv4() == v4)
    };
    let mut changed = Vec::new();
    if uses(true) {
        set(IPV4, "1", &mut changed)?;
    }
    if uses(false) {
        for link in links_with_learned_default(kernel)? {
            keep_advertisements(&link, &mut changed)?;
        }
        set(IPV6, "1", &mut changed)?;
    }
    Ok(changed)
}

/// A host that forwards takes router advertisements no longer, and the kernel drops the default
/// routes it learned, unless `accept_ra` is 2 (`Documentation/networking/ip-sysctl.rst`). Without
/// this a node that has its address and its default route by SLAAC would lose both.
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
            protocol: Some(LEARNED),
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
