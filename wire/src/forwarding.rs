//! Switches IP forwarding on, without taking from the node what it learns from router advertisements.
//!
//! A link that forwards IPv6 ignores router advertisements unless its `accept_ra` is 2, and the kernel
//! drops the default routes that it learned from them (`ipv6_accept_ra`, `rt6_purge_dflt_routers`). The
//! addresses of the node would go later, when their lifetime ends. So every link that accepts
//! advertisements is told to go on, before forwarding is switched on. `conf/default` stays as it is: the
//! pods' host ends inherit it, and must accept no advertisements.

use std::io;

use crate::{pod_link, sysctl};

/// IPv4: a change of it sets `forwarding` of all links, present and future. Packets are forwarded by
/// the setting of the link that they come in by (`ip_route_input_slow`).
pub const IPV4: &str = "net/ipv4/ip_forward";

/// IPv6: packets are forwarded by this setting alone (`ip6_forward`). A change of it sets `forwarding`
/// of all links, which decides whether they accept router advertisements.
pub const IPV6: &str = "net/ipv6/conf/all/forwarding";

/// Switches forwarding on where it is off, for these families. Returns the settings that were changed,
/// as `name = value`. Where it is on already, only one setting for each family is read.
///
/// # Errors
/// A setting could not be read or changed; the message names it. Forwarding is not switched on if a
/// link could not be made to go on accepting advertisements.
pub fn ensure(v4: bool, v6: bool) -> io::Result<Vec<String>> {
    let mut changed = Vec::new();
    if v4 && is_off(IPV4)? {
        changed.extend(set(IPV4, "1")?);
    }
    if v6 && is_off(IPV6)? {
        for link in sysctl::interfaces("ipv6")? {
            match keep_advertisements(&link) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {} // The link is gone.
                result => changed.extend(result?),
            }
        }
        changed.extend(set(IPV6, "1")?);
    }
    Ok(changed)
}

/// The IPv4 setting of a link.
pub fn of_link(link: &str) -> String {
    format!("net/ipv4/conf/{link}/forwarding")
}

/// Whether this setting is zero: the kernel takes all other numbers for on.
pub fn is_off(setting: &str) -> io::Result<bool> {
    Ok(sysctl::read(setting)? == "0")
}

/// Whether `link` ignores router advertisements, and would accept them if it did not forward.
pub fn ignores_advertisements(link: &str) -> io::Result<bool> {
    Ok(accepts_only_as_host(&sysctl::read(&accept_ra(link))?) && !is_off(&of_link_v6(link))?)
}

fn keep_advertisements(link: &str) -> io::Result<Option<String>> {
    if !is_kept(link) {
        return Ok(None);
    }
    let name = accept_ra(link);
    if accepts_only_as_host(&sysctl::read(&name)?) && is_off(&of_link_v6(link))? {
        return set(&name, "2");
    }
    Ok(None)
}

/// Whether it is a link, and one that may lead to routers: no pod is one.
fn is_kept(link: &str) -> bool {
    !matches!(link, "all" | "default" | "lo") && !pod_link::is_host_interface_name(link)
}

/// The kernel takes 2 for "always", 0 for "never", and all other numbers for "unless it forwards".
fn accepts_only_as_host(accept_ra: &str) -> bool {
    !matches!(accept_ra, "0" | "2")
}

/// The setting that says whether a link accepts router advertisements.
pub fn accept_ra(link: &str) -> String {
    format!("net/ipv6/conf/{link}/accept_ra")
}

fn of_link_v6(link: &str) -> String {
    format!("net/ipv6/conf/{link}/forwarding")
}

fn set(name: &str, value: &str) -> io::Result<Option<String>> {
    let is_changed = sysctl::ensure(name, value)?;
    Ok(is_changed.then(|| format!("{} = {value}", sysctl::dotted(name))))
}

#[cfg(test)]
mod tests;
