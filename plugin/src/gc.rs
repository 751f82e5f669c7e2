//! GC: removes the host ends and addresses of attachments that the runtime no longer knows.

use std::collections::BTreeSet;
use std::thread;

use wire::cni::{Attachment, Call, Error};
use wire::conf::PluginConfig;
use wire::netlink::{self, Link, NetlinkSocket};
use wire::pod_link::is_orphan;
use wire::timeouts::MIN_ORPHAN_AGE;
use wire::{add_lock, pod_link};

use crate::apply::with_details;
use crate::error::kernel;
use crate::{deferred_delete, ipam};

/// How often links are listed on a node whose links change all the time. What GC is about was there
/// before and is in one of the listings.
const LISTING_ATTEMPTS: u32 = 4;

/// Removes the host ends of stale attachments with their routes, then runs GC of the IPAM plugin. A
/// host end that cannot be removed keeps its addresses, which are still routed to it; the rest is
/// removed all the same, and the error names what is left.
pub(crate) fn gc(call: &Call) -> Result<(), Error> {
    let config = PluginConfig::parse(&call.config)?;
    let valid = call.valid_attachments()?;
    let mut host =
        NetlinkSocket::open().map_err(|error| kernel("cannot reach the kernel", &error))?;
    let links = host.links_within(LISTING_ATTEMPTS);
    let links = links.map_err(|error| kernel("looking for interfaces", &error))?;
    let links = links.entries;
    let (mut kept, mut failures) = (Vec::new(), Vec::new());
    for (link, holder) in stale(&links, &call.network, &valid) {
        if let Err(error) = deferred_delete::disable(&mut host, link) {
            let doing = format!("deleting host interface {} of {holder}", link.name);
            failures.push(kernel(&doing, &error));
            kept.push(holder);
        }
    }
    let doing = "deleting host interfaces that an interrupted ADD left";
    let removed = remove_orphans(&mut host, &links, &call.network, &valid);
    failures.extend(removed.err().map(|error| kernel(doing, &error)));
    let doing = "deleting interfaces that are out of use";
    let destroyed = deferred_delete::destroy(&mut host);
    failures.extend(destroyed.err().map(|error| kernel(doing, &error)));
    let freed =
        ipam::find(call, &config.ipam_type).and_then(|ipam| ipam.gc(&call.with_more_valid(&kept)));
    failures.extend(freed.err());
    combine(failures)
}

/// The first failure, with the others in its details.
fn combine(failures: Vec<Error>) -> Result<(), Error> {
    let mut failures = failures.into_iter();
    let Some(first) = failures.next() else {
        return Ok(());
    };
    Err(failures.fold(first, |all, next| with_details(all, &next.to_string())))
}

/// Removes orphans: host ends that an ADD left before it set their alias. Their network is unknown,
/// but no attachment uses them.
fn remove_orphans(
    host: &mut NetlinkSocket,
    links: &[Link],
    network: &str,
    valid: &BTreeSet<Attachment>,
) -> Result<(), netlink::Error> {
    let before: BTreeSet<u32> = orphans(links, network, valid).collect();
    if before.is_empty() {
        return Ok(());
    }
    thread::sleep(MIN_ORPHAN_AGE);
    let now = host.links_within(LISTING_ATTEMPTS)?.entries;
    let after: BTreeSet<u32> = orphans(&now, network, valid).collect();
    let is_orphan_still =
        |link: &&Link| after.contains(&link.index) && before.contains(&link.index);
    now.iter()
        .filter(is_orphan_still)
        .try_for_each(|link| deferred_delete::disable(host, link))
}

/// The indexes of host ends without an alias, except those of valid attachments and those that an
/// ADD is creating.
fn orphans(
    links: &[Link],
    network: &str,
    valid: &BTreeSet<Attachment>,
) -> impl Iterator<Item = u32> {
    let names = valid
        .iter()
        .map(|attachment| pod_link::host_interface_name(network, attachment));
    let names: BTreeSet<String> = names.collect();
    let links = links.iter().filter(|link| is_orphan(link));
    links
        .filter(move |link| !names.contains(&link.name) && !add_lock::is_held(&link.name))
        .map(|link| link.index)
}

/// The host ends of this network whose attachment is not valid, with the attachment. Name and alias
/// must both match it.
fn stale<'a>(
    links: &'a [Link],
    network: &'a str,
    valid: &'a BTreeSet<Attachment>,
) -> impl Iterator<Item = (&'a Link, Attachment)> {
    links.iter().filter_map(move |link| {
        let holder = pod_link::attachment_of(network, link)?;
        (!valid.contains(&holder)).then_some((link, holder))
    })
}

#[cfg(test)]
mod tests;
