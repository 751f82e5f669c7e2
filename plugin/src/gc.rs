//! GC: what is left of attachments that the runtime does not know any more.

use std::collections::BTreeSet;

use wire::cni::{Attachment, Call, Delegate, Error};
use wire::conf::PluginConfig;
use wire::netlink::{Link, Socket};
use wire::node;

use crate::failure::kernel;
use crate::{removal, wiring};

/// Removes the host ends of such attachments, their routes with them, and then lets the IPAM
/// plugin give the addresses back. An interface that stays keeps all addresses: one of them is
/// still routed to it, and the next GC comes soon.
pub(crate) fn gc(call: &Call) -> Result<(), Error> {
    let config = PluginConfig::parse(&call.config)?;
    let valid = call.valid_attachments()?;
    let mut host = Socket::open().map_err(|error| kernel("cannot reach the kernel", &error))?;
    let doing = "deleting the interfaces of pods that are gone";
    let links = host.links().map_err(|error| kernel(doing, &error))?;
    for link in stale(&links, &call.network, &valid) {
        removal::withdraw(&mut host, link).map_err(|error| kernel(doing, &error))?;
    }
    removal::destroy(&mut host).map_err(|error| kernel(doing, &error))?;
    Delegate::find(call, &config.ipam_type)?.gc(call)
}

/// The host ends of this network whose attachment is not among the valid ones. Name and alias have
/// to agree on whose it is; an interface without an alias is one that an ADD is making just now.
fn stale<'a>(
    links: &'a [Link],
    network: &'a str,
    valid: &'a BTreeSet<Attachment>,
) -> impl Iterator<Item = &'a Link> {
    links.iter().filter(move |link| {
        let holder = link
            .alias
            .as_deref()
            .and_then(|alias| wiring::holder(network, alias));
        holder.is_some_and(|holder| {
            link.name == node::host_interface(network, &holder) && !valid.contains(&holder)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attachment(container_id: &str) -> Attachment {
        Attachment::new(container_id, "eth0").unwrap()
    }

    fn host_end(network: &str, container_id: &str) -> Link {
        let attachment = attachment(container_id);
        Link {
            name: node::host_interface(network, &attachment),
            alias: Some(wiring::alias(network, &attachment)),
            ..Link::default()
        }
    }

    #[test]
    fn only_this_networks_own_interfaces_of_unknown_attachments_are_stale() {
        let valid = BTreeSet::from([attachment("known")]);
        let gone = host_end("flatland", "gone");
        for (link, expected) in [
            (gone.clone(), true),
            (host_end("flatland", "known"), false),
            (host_end("flatland2", "gone"), false),
            (host_end("flat", "gone"), false),
            (
                Link {
                    alias: None,
                    ..gone.clone()
                },
                false,
            ),
            (
                Link {
                    name: "eth0".into(),
                    ..gone.clone()
                },
                false,
            ),
            (
                Link {
                    alias: Some("flatland  /".into()),
                    ..gone.clone()
                },
                false,
            ),
            (
                Link {
                    alias: Some("uplink".into()),
                    ..gone
                },
                false,
            ),
        ] {
            let links = [link];
            let found = stale(&links, "flatland", &valid).count();
            assert_eq!(found == 1, expected, "{links:?}");
        }
    }
}
