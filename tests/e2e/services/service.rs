//! A Kubernetes Service and its endpoints, as kube-proxy sees them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use lab::probe::PORT;

/// The pod CIDRs.
pub(crate) const POD_CIDRS: [&str; 2] = ["10.244.0.0/16", "fd00:10:244::/56"];

/// The Service CIDRs.
pub(crate) const SERVICE_CIDRS: [&str; 2] = ["10.96.0.0/16", "fd00:10:96::/112"];

/// The port of every Service. Its backends listen on the probe's port.
pub(crate) const SERVICE_PORT: u16 = 80;

/// The mark of packets that are to be masqueraded: the default of kubelet and kube-proxy.
pub(crate) const MASQUERADE_MARK: &str = "0x4000";

/// The time for which a client stays with its backend, in seconds (the default of
/// `sessionAffinityConfig`).
pub(crate) const AFFINITY_SECONDS: u32 = 10_800;

/// The protocols of every Service.
pub(crate) const PROTOCOLS: [&str; 2] = ["tcp", "udp"];

/// The version of IP that the rules are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IpVersion {
    V4,
    V6,
}

impl IpVersion {
    pub(crate) const BOTH: [Self; 2] = [Self::V4, Self::V6];

    fn has(self, address: IpAddr) -> bool {
        address.is_ipv4() == (self == Self::V4)
    }

    /// The element of a pair (IPv4 first) for this version.
    pub(crate) fn of<T>(self, both: [T; 2]) -> T {
        let [v4, v6] = both;
        match self {
            Self::V4 => v4,
            Self::V6 => v6,
        }
    }
}

/// One backend: a pod, or a process of a node.
#[derive(Debug, Clone)]
pub(crate) struct ServiceEndpoint {
    /// One address of each version.
    pub(crate) addresses: Vec<IpAddr>,
    /// The name of the backend's node.
    pub(crate) node: String,
}

impl ServiceEndpoint {
    pub(crate) fn address(&self, version: IpVersion) -> IpAddr {
        let mut addresses = self.addresses.iter();
        *addresses
            .find(|address| version.has(**address))
            .expect("backends have addresses of both versions")
    }

    /// Address and port in the syntax of rules.
    pub(crate) fn socket(&self, version: IpVersion) -> String {
        match self.address(version) {
            IpAddr::V4(address) => format!("{address}:{PORT}"),
            IpAddr::V6(address) => format!("[{address}]:{PORT}"),
        }
    }
}

/// A Service of type `NodePort`.
#[derive(Debug, Clone)]
pub(crate) struct Service {
    /// The name, at most nine characters: chains are named after it.
    pub(crate) name: &'static str,
    /// Its addresses and its node port end with this number.
    pub(crate) number: u16,
    /// Its backends.
    pub(crate) endpoints: Vec<ServiceEndpoint>,
    /// `externalTrafficPolicy: Local`.
    pub(crate) local: bool,
    /// `sessionAffinity: ClientIP`.
    pub(crate) sticky: bool,
}

impl Service {
    pub(crate) fn new(name: &'static str, number: u16, endpoints: &[&ServiceEndpoint]) -> Self {
        Self {
            name,
            number,
            endpoints: endpoints.iter().map(|&endpoint| endpoint.clone()).collect(),
            local: false,
            sticky: false,
        }
    }

    /// Its `ClusterIP` of a version.
    pub(crate) fn address(&self, version: IpVersion) -> IpAddr {
        let number = self.number;
        match version {
            IpVersion::V4 => {
                let [high, low] = number.to_be_bytes();
                Ipv4Addr::new(10, 96, high, low).into()
            }
            IpVersion::V6 => Ipv6Addr::new(0xfd00, 0x10, 0x96, 0, 0, 0, 0, number).into(),
        }
    }

    /// Its `ClusterIP`s, IPv4 first.
    pub(crate) fn addresses(&self) -> [IpAddr; 2] {
        IpVersion::BOTH.map(|version| self.address(version))
    }

    /// Its port on every node.
    pub(crate) fn node_port(&self) -> u16 {
        30_000 + self.number
    }

    /// The indices of its backends on a node.
    pub(crate) fn endpoints_on(&self, node: &str) -> Vec<usize> {
        let all = self.endpoints.iter().enumerate();
        all.filter(|(_, endpoint)| endpoint.node == node)
            .map(|(index, _)| index)
            .collect()
    }
}
