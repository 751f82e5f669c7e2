//! The configuration: the conflist, with the sections of `flatland` and `flatland-ipam`.
//!
//! The plugins get their entry from the runtime as JSON ([`PluginConfig::parse`],
//! [`IpamConfig::parse`]); `routed` reads the whole file ([`Conflist`]). Both check everything: an
//! unknown key is code 2, a wrong value code 7, and the message names the key.

mod cidr;
mod conflist;
mod duration;
mod etcd;
mod ipam;
mod kubernetes;
mod plugin;
mod policy;
mod section;

pub use conflist::Conflist;
pub use etcd::EtcdConfig;
pub use ipam::IpamConfig;
pub use kubernetes::KubernetesConfig;
pub use plugin::{CrossSubnet, MIN_IPV6_MTU, PluginConfig, ipam_of};
pub use policy::PolicyConfig;

use crate::cni::{Error, code};

/// The `type` of our interface plugin.
pub const PLUGIN_TYPE: &str = "flatland";

/// The `type` of our IPAM plugin.
pub const IPAM_TYPE: &str = "flatland-ipam";

/// The helper program that our IPAM plugin runs to claim subnets, in the same folder.
pub const CLAIM_PROGRAM: &str = "flatland-claim";

/// All programs in a container runtime's plugin folder, in the order of installation: a program
/// comes before those that run it.
pub const PROGRAMS: [&str; 3] = [CLAIM_PROGRAM, IPAM_TYPE, PLUGIN_TYPE];

fn invalid(msg: impl Into<String>) -> Error {
    Error::new(code::INVALID_CONFIG, msg)
}
