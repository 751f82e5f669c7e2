//! What the checks are given: the flags of the command, and facts that several checks need.

use std::net::IpAddr;
use std::path::Path;

use ipnet::IpNet;
use wire::conf::{Conflist, EtcdConfig};

use crate::firewall::{self, Survey};
use crate::kernel::{Kernel, Netlink, NodeLink};

/// The flags of `routed doctor`, and facts that several checks need. A fact that could not be read
/// has the reason instead.
#[derive(Debug)]
pub(crate) struct CheckContext<'a> {
    /// The network's conflist, or why there is none.
    pub(super) conflist: Result<&'a Conflist, String>,
    /// The file that this conflist is in.
    pub(super) conflist_path: Option<&'a Path>,
    /// The cluster's service CIDRs, as far as they were given.
    pub(super) service_cidrs: Vec<IpNet>,
    /// The node addresses that were given.
    pub(super) node_addresses: &'a [IpAddr],
    /// The folder of the plugins.
    pub(super) cni_bin: &'a Path,
    pub(super) links: Result<Vec<NodeLink>, String>,
    /// The chains of the packet filter that drop forwarded packets.
    pub(super) firewall: Result<Survey, String>,
}

impl<'a> CheckContext<'a> {
    /// Reads the facts that several checks need.
    pub(crate) fn read(
        conflist: Result<(&'a Path, &'a Conflist), String>,
        service_cidrs: Vec<IpNet>,
        node_addresses: &'a [IpAddr],
        cni_bin: &'a Path,
    ) -> Self {
        let conflist_path = conflist.as_ref().ok().map(|(path, _)| *path);
        let conflist = conflist.map(|(_, conflist)| conflist);
        let pod_cidrs = conflist.as_ref().map_or(&[][..], |it| &it.ipam().pod_cidrs);
        let links = Netlink::default().links();
        Self {
            service_cidrs,
            node_addresses,
            cni_bin,
            links: links.map_err(|error| error.to_string()),
            firewall: firewall::survey(pod_cidrs).map_err(|error| error.to_string()),
            conflist,
            conflist_path,
        }
    }

    /// The pod CIDRs; none if there is no conflist.
    pub(super) fn pod_cidrs(&self) -> &[IpNet] {
        let conflist = self.conflist.as_ref();
        conflist.map_or(&[], |it| &it.ipam().pod_cidrs)
    }

    /// The etcd section of the conflist, if there is one.
    pub(super) fn etcd(&self) -> Option<&EtcdConfig> {
        self.conflist.as_ref().ok()?.ipam().etcd.as_ref()
    }
}
