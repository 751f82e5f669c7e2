//! Veth pairs: how one is created, with its peer in another network namespace.

use std::fmt;
use std::os::fd::RawFd;

use rtnetlink::packet_route::link::{InfoData, InfoVeth, LinkAttribute, LinkMessage};
use rtnetlink::{LinkMessageBuilder, LinkUnspec, LinkVeth};

use super::Mac;

/// A veth pair that one message creates, with the peer in another network namespace.
///
/// Both ends are down at first. The kernel takes no alias and no per-family settings while it
/// creates a link: a [`LinkChange`](super::LinkChange) sets them and then brings the link up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VethPair {
    /// Name of the host end, in the namespace of the socket.
    pub name: String,
    /// Hardware address of the host end.
    pub mac: Mac,
    /// MTU of both ends, in bytes.
    pub mtu: u32,
    /// Device group of the host end; 0 is the default group.
    pub group: u32,
    /// Name of the peer, in its own namespace.
    pub peer_name: String,
    /// Hardware address of the peer.
    pub peer_mac: Mac,
    /// The network namespace of the peer. This descriptor must stay open until the kernel has
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

/// One queue per direction. By default a veth gets one per CPU and direction, each with an entry in
/// sysfs, which takes nearly half of the time to create a veth on two CPUs, and many times that on
/// 64. Only XDP would use them: a veth sends without a lock and receives on the sender's CPU.
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
