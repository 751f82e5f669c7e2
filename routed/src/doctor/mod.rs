//! Whether this host can be a node, or why it is not a good one: facts are collected from the
//! kernel, from files and from etcd, and verdicts are pure functions of them.

mod checks;
mod collect;
mod etcd;
mod network_manager;
mod networkd;

use std::path::PathBuf;

use ipnet::IpNet;
use ipnetwork::IpNetwork;
use serde::Serialize;

pub(crate) use self::checks::examine;
pub(crate) use self::checks::programs::Program;
pub(crate) use self::collect::collect;
use crate::firewall::Survey;

/// What comes of one check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    /// What was looked at.
    pub(crate) check: &'static str,
    pub(crate) verdict: Severity,
    /// What was found.
    pub(crate) evidence: String,
    /// What to do about it.
    pub(crate) fix: Option<String>,
}

/// How it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Severity {
    /// As it should be.
    Ok,
    /// It works, and may not in every case.
    Warning,
    /// Pods have no network, or will lose it.
    Broken,
    /// It could not be looked at.
    Unknown,
}

/// What is known of the host. What could not be looked at has the reason instead.
#[derive(Debug, Clone)]
pub(crate) struct HostFacts {
    /// The pod CIDRs, or why there is no conflist.
    pub(crate) pod_cidrs: Result<Vec<IpNet>, String>,
    /// The plugins, and what belongs to them.
    pub(crate) programs: Vec<Program>,
    /// The service CIDRs, as far as they were given.
    pub(crate) service_cidrs: Vec<IpNet>,
    /// The kernel's settings that say whether it forwards.
    pub(crate) forwarding: Vec<Setting>,
    /// What drops packets.
    pub(crate) firewall: Result<Survey, String>,
    /// `rp_filter` of all links, and of each link with an address.
    pub(crate) rp_filter: Vec<Setting>,
    /// systemd-networkd, if it runs.
    pub(crate) networkd: Option<Networkd>,
    /// `NetworkManager`, if it runs.
    pub(crate) network_manager: Option<NetworkManager>,
    /// The networks this host is on, with their links.
    pub(crate) networks: Result<Vec<(String, IpNetwork)>, String>,
    /// Routes that somebody else made, and in words where they lead.
    pub(crate) routes: Result<Vec<(IpNet, String)>, String>,
    /// The MTU of the conflist; 0 takes the uplink's.
    pub(crate) mtu: u32,
    /// The uplink's name and MTU, or why there is none.
    pub(crate) uplink: Result<(String, u32), String>,
    /// etcd, if the conflist has it.
    pub(crate) etcd: Option<EtcdFacts>,
}

/// A setting of the kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Setting {
    /// As in `net/ipv4/ip_forward`.
    pub(crate) name: String,
    pub(crate) value: Result<String, String>,
}

/// What systemd-networkd does with routes that are not its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Networkd {
    /// Whether it takes them away when it configures a link anew.
    pub(crate) manages_foreign_routes: bool,
    /// Which file says so; none where it is the default.
    pub(crate) said_in: Option<PathBuf>,
}

/// What `NetworkManager` does with the interfaces of pods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NetworkManager {
    /// The file that tells it to leave them alone.
    pub(crate) said_in: Option<PathBuf>,
}

/// What came of asking etcd.
#[derive(Debug, Clone)]
pub(crate) struct EtcdFacts {
    pub(crate) endpoints: Vec<String>,
    /// The revision it has, or what failed and what to do.
    pub(crate) answer: Result<i64, (String, String)>,
    /// How far its clock is ahead of this host's, in seconds, or why that is not known.
    pub(crate) ahead: Result<i64, String>,
    /// What is wrong with the client's certificate, if one is configured.
    pub(crate) certificate: Option<Result<(), String>>,
}
