//! The veth pair of a pod: the name of the host interface and the MAC addresses, which are hashes
//! of network and attachment, and the states of a host interface (removed, orphan).

use siphasher::sip128::SipHasher13;

use crate::REMOVED_GROUP;
use crate::cni::Attachment;
use crate::netlink::{Link, Mac};

/// Prefix of the names of host ends.
const HOST_END: &str = "flat";

/// The host end's name: `flat` and 11 hexadecimal digits, 15 bytes in all.
pub fn host_interface_name(network: &str, attachment: &Attachment) -> String {
    let digest = u128::from_be_bytes(digest(network, attachment));
    format!("{HOST_END}{:011x}", digest >> (128 - 11 * 4))
}

/// Whether a link with this name and hardware address is a host end of any attachment of any
/// network. Both come from one hash: the name has bits 1 to 44, the address has bits 33 to 80
/// without five of them, so that seven bits are in both and must agree.
pub fn is_host_interface(name: &str, mac: Mac) -> bool {
    let [first, second, ..] = mac.0;
    hash_in(name).is_some_and(|hash| {
        let expected = (hash >> 4 & 0xe0 | 0x02, hash & 0x0f);
        expected == (u64::from(first), u64::from(second >> 4))
    })
}

/// Whether the name is of the form of a host end's, for where the hardware address is not known.
pub fn is_host_interface_name(name: &str) -> bool {
    hash_in(name).is_some()
}

fn hash_in(name: &str) -> Option<u64> {
    let digits = name.strip_prefix(HOST_END)?;
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    let is_hash = digits.len() == 11 && digits.bytes().all(is_digit);
    u64::from_str_radix(digits, 16).ok().filter(|_| is_hash)
}

/// The hardware addresses of the host end and the pod end. They are unicast, locally administered
/// and administratively assigned (IEEE 802c: the second digit is 2), so that udev does not change
/// them. They differ in the lowest bit of the first digit.
pub fn mac_addresses(network: &str, attachment: &Attachment) -> (Mac, Mac) {
    let digest = digest(network, attachment);
    let mac = |start: usize, mark: u8| {
        let mut mac = [0; 6];
        mac.copy_from_slice(&digest[start..start + 6]);
        mac[0] = (mac[0] & 0xe0) | mark;
        Mac(mac)
    };
    (mac(4, 0x02), mac(10, 0x12))
}

/// `SipHash`-1-3 with 128 bits and fixed keys, so that all programs of all releases find the same
/// names. The parts contain no zero byte: different attachments give different input.
fn digest(network: &str, attachment: &Attachment) -> [u8; 16] {
    let parts = [network, attachment.container_id(), attachment.interface()];
    let hasher = SipHasher13::new_with_keys(u64::from_be_bytes(*b"flatland"), 0);
    hasher
        .hash(parts.join("\0").as_bytes())
        .as_u128()
        .to_be_bytes()
}

/// The alias of a host end: network and attachment.
pub fn alias(network: &str, attachment: &Attachment) -> String {
    format!("{network} {attachment}")
}

/// The attachment that an alias names, if it is of this network.
pub fn holder(network: &str, alias: &str) -> Option<Attachment> {
    let attachment = alias.strip_prefix(network)?.strip_prefix(' ')?;
    let (container_id, interface) = attachment.split_once('/')?;
    Attachment::new(container_id, interface).ok()
}

/// The attachment of a host end of `network`: its name and its alias both name it.
pub fn attachment_of(network: &str, link: &Link) -> Option<Attachment> {
    let attachment = holder(network, link.alias.as_deref()?)?;
    (link.name == host_interface_name(network, &attachment)).then_some(attachment)
}

/// Whether DEL has taken this link out of use: it is down and about to be deleted.
pub fn is_removed(link: &Link) -> bool {
    link.group == REMOVED_GROUP
}

/// Whether this is a host end without an alias. Either an ADD is creating it (a veth cannot be
/// created with its alias), or an ADD that was interrupted has left it: an orphan.
///
/// Links of other programs do not match: it must be a veth without an alias, with a name and a
/// hardware address that agree ([`is_host_interface`]).
pub fn is_orphan(link: &Link) -> bool {
    link.kind.as_deref() == Some("veth")
        && link.alias.is_none()
        && !is_removed(link)
        && link
            .mac
            .is_some_and(|mac| is_host_interface(&link.name, mac))
}

#[cfg(test)]
mod tests;
