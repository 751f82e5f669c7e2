//! What crosses a boundary and more than one Flatland program speaks: the CNI protocol, the
//! conflist, netlink and network namespaces.
//!
//! Nothing here decides anything. The programs decide with pure functions over these types and
//! hand the outcome back to be sent.

pub mod add_lock;
pub mod atomic_file;
pub mod clock;
pub mod cni;
pub mod conf;
pub mod file_lock;
pub mod netlink;
pub mod netns;
pub mod nft;
pub mod node;
pub mod overlap;
pub mod paths;
pub mod pod_link;
pub mod spoof_guard;
pub mod sysctl;

use std::net::{Ipv4Addr, Ipv6Addr};

/// What `--version` says: the version, and in what `make build` made also the commit.
pub const VERSION: &str = match option_env!("FLATLAND_VERSION") {
    Some(version) => version,
    None => env!("CARGO_PKG_VERSION"),
};

/// The number in `rtm_protocol` of every route that Flatland installs, so that `ip route show
/// proto 70` lists exactly ours and no sweep of ours ever touches another's.
///
/// It is free in the kernel's `include/uapi/linux/rtnetlink.h` and in iproute2's `rt_protos`.
pub const ROUTE_PROTOCOL: u8 = 70;

/// Where pods send IPv4 packets to, the same in every pod: link-local (RFC 3927), so that it collides
/// with nobody's address. Nobody has it, and the host end of a pod's interface answers for it.
pub const GATEWAY_V4: Ipv4Addr = Ipv4Addr::new(169, 254, 1, 1);

/// Where pods send IPv6 packets to, the same in every pod: the host end of each pod's interface has
/// this link-local address.
pub const GATEWAY_V6: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);

/// The device group of the host ends of pods that are gone, waiting to be destroyed together.
/// Whatever is in it gets destroyed: the number reads "flat" in ASCII, so that nobody has chosen it
/// for something else.
pub const REMOVED_GROUP: u32 = 0x666c_6174;
