//! Pairs of virtual Ethernet links.

use std::fmt;
use std::os::fd::RawFd;

use rtnetlink::packet_route::link::{InfoData, InfoVeth, LinkAttribute, LinkMessage};
use rtnetlink::{LinkMessageBuilder, LinkUnspec, LinkVeth};

use super::Mac;

/// A veth pair whose peer is born in another network namespace, by one message.
///
/// Both ends are down. The kernel takes no alias and no per-family settings while it creates a link:
/// a [`LinkChange`](super::LinkChange) sets them, and brings the link up once they hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VethPair {
    /// Name of the host end, in the namespace of the socket.
    pub name: String,
    /// Hardware address of the host end.
    pub mac: Mac,
    /// MTU of both ends, in bytes.
    pub mtu: u32,
    /// Device group of the host end; 0 is the group of everything else.
    pub group: u32,
    /// Name of the peer, in its own namespace.
    pub peer_name: String,
    /// Hardware address of the peer.
    pub peer_mac: Mac,
    /// The network namespace of the peer: a descriptor that must stay open until the request is
    /// answered.
    pub peer_netns: RawFd,
}

impl VethPair {
    pub(super) fn message(&self) -> LinkMessage {
        let peer = one_queue(LinkUnspec::new_with_name(&self.peer_name))
            .address(self.peer_mac.0.to_vec())
            .mtu(self.mtu)
            .setns_by_fd(self.peer_netns)
            .build();
        let mut pair = one_queue(LinkVeth::new(&self.name, &self.peer_name))
            .set_info_data(InfoData::Veth(InfoVeth::Peer(peer)))
            .address(self.mac.0.to_vec())
            .mtu(self.mtu);
        if self.group != 0 {
            pair = pair.link_group(self.group);
        }
        pair.build()
    }
}

/// A veth would get a queue per processor and direction, each with an entry in sysfs: nearly half
/// of the time it takes to make one with two processors, and many times that with sixty-four. It
/// is of use to XDP alone: a veth sends without a lock and receives on the sender's processor.
fn one_queue<T>(link: LinkMessageBuilder<T>) -> LinkMessageBuilder<T> {
    link.append_extra_attribute(LinkAttribute::NumTxQueues(1))
        .append_extra_attribute(LinkAttribute::NumRxQueues(1))
}

impl fmt::Display for VethPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "ip link add {} address {} mtu {}",
            self.name, self.mac, self.mtu
        )?;
        if self.group != 0 {
            write!(f, " group {}", self.group)?;
        }
        write!(
            f,
            " type veth peer name {} address {} mtu {} netns /proc/self/fd/{}",
            self.peer_name, self.peer_mac, self.mtu, self.peer_netns
        )
    }
}
