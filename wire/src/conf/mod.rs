//! What an administrator writes: the conflist and, in it, the sections that are ours.
//!
//! The plugins get their part of it from the runtime as JSON ([`PluginConfig::parse`],
//! [`IpamConfig::parse`]); `routed` reads the whole file ([`Conflist`]). Both check everything:
//! an unknown key is code 2, a wrong value code 7, and the message names the key.

mod cidr;
mod conflist;
mod duration;
mod etcd;
mod ipam;
mod plugin;
mod section;

pub use conflist::Conflist;
pub use etcd::EtcdConfig;
pub use ipam::IpamConfig;
pub use plugin::{CrossSubnet, PluginConfig, ipam_of};

use crate::cni::{Error, code};

/// The `type` of our interface plugin.
pub const PLUGIN_TYPE: &str = "flatland";

/// The `type` of our IPAM plugin.
pub const IPAM_TYPE: &str = "flatland-ipam";

/// What our IPAM plugin runs to claim subnets: a program beside it.
pub const CLAIM_PROGRAM: &str = "flatland-claim";

/// All that is in a container runtime's folder for plugins, those first that others run: whoever
/// installs them in this order leaves none without what it runs.
pub const PROGRAMS: [&str; 3] = [CLAIM_PROGRAM, IPAM_TYPE, PLUGIN_TYPE];

fn invalid(msg: impl Into<String>) -> Error {
    Error::new(code::INVALID_CONFIG, msg)
}
