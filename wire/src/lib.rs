//! Interfaces that several Flatland programs share: the CNI protocol, the conflist, netlink,
//! nftables, connection tracking, packet logs, network namespaces, file locks, atomic file replacement and clocks.
//!
//! This crate takes no decisions. The programs decide with pure functions over these types and pass
//! the outcome back to be sent.

pub mod add_lock;
pub mod address_number;
pub mod atomic_file;
pub mod backoff;
pub mod clock;
pub mod cni;
pub mod conf;
pub mod conntrack;
pub mod file_lock;
pub mod forwarding;
mod ip_protocol;
mod netfilter;
pub mod netlink;
pub mod netns;
pub mod nft;
pub mod node;
pub mod old_lock;
pub mod overlap;
pub mod packet_log;
pub mod paths;
pub mod pod_link;
pub mod policy_program;
pub mod policy_query;
pub mod policy_trial;
pub mod spoof_guard;
pub mod state_file;
pub mod sysctl;
pub mod text;
pub mod timeouts;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub use ip_protocol::IpProtocol;

/// The output of `--version`: the version, in builds of `make build` with the commit.
pub const VERSION: &str = match option_env!("FLATLAND_VERSION") {
    Some(version) => version,
    None => env!("CARGO_PKG_VERSION"),
};

/// The `rtm_protocol` of every route that Flatland installs: `ip route show proto 70` lists exactly
/// ours, and Flatland deletes no others.
///
/// The number is free in the kernel's `include/uapi/linux/rtnetlink.h` and in iproute2's
/// `rt_protos`.
pub const ROUTE_PROTOCOL: u8 = 70;

/// The IPv4 gateway of every pod. It is link-local (RFC 3927), so that it collides with no other
/// address. No interface has it: the host end of the pod's veth replies to ARP for it.
pub const GATEWAY_V4: Ipv4Addr = Ipv4Addr::new(169, 254, 1, 1);

/// The IPv6 gateway of every pod: a link-local address that the host end of each pod's veth has.
pub const GATEWAY_V6: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);

/// The gateway of pods for that version of the Internet Protocol.
pub fn gateway(is_ipv4: bool) -> IpAddr {
    if is_ipv4 {
        GATEWAY_V4.into()
    } else {
        GATEWAY_V6.into()
    }
}

/// The device group of host ends that DEL has taken out of use, to be deleted together. All links
/// in it get deleted. The number is "flat" in ASCII, so that no other program is likely to use it.
pub const REMOVED_GROUP: u32 = 0x666c_6174;
