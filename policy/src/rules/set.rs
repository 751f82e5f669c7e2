//! A set that rules refer to.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use crate::api::L4Protocol;

/// The number of a set. None is used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SetId(pub u32);

/// The number of a chain. None is used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChainId(pub u32);

/// An address of a pod, or a port of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SetElement {
    /// An element of [`SetContent::Pods`].
    Address(IpAddr),
    /// An element of [`SetContent::NamedPorts`].
    Port(IpAddr, L4Protocol, u16),
}

impl SetElement {
    /// Its address.
    pub fn address(&self) -> IpAddr {
        match self {
            Self::Address(address) | Self::Port(address, ..) => *address,
        }
    }
}

/// Consecutive ports, first and last included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortRange {
    /// The first port.
    pub first: u16,
    /// The last port, which may be the first.
    pub last: u16,
}

impl PortRange {
    /// From the first to the last.
    pub fn new(first: u16, last: u16) -> Self {
        Self { first, last }
    }

    /// Whether a port is one of them.
    pub(crate) fn contains(self, port: u16) -> bool {
        (self.first..=self.last).contains(&port)
    }
}

/// For example `80`, or `8000-8010`.
impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.first.fmt(f)?;
        if self.last > self.first {
            write!(f, "-{}", self.last)?;
        }
        Ok(())
    }
}

/// A set. Both address families are in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerSet {
    /// What it is, as a rule is read: `pods app=web in namespace shop`.
    pub description: Arc<str>,
    /// What is in it.
    pub content: SetContent,
}

/// What is in a set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SetContent {
    /// Addresses of pods: only [`SetElement::Address`].
    Pods(BTreeSet<SetElement>),
    /// Named ports of pods: only [`SetElement::Port`].
    NamedPorts(BTreeSet<SetElement>),
    /// Prefixes that do not overlap. They never change.
    Networks(Arc<[IpNet]>),
    /// Sorted ports of a protocol that neither overlap nor touch. They never change.
    PortRanges(Arc<[PortRange]>),
}

impl PeerSet {
    /// The elements that come and go: none of a set of prefixes or ranges of ports.
    pub fn elements(&self) -> Option<&BTreeSet<SetElement>> {
        match &self.content {
            SetContent::Pods(elements) | SetContent::NamedPorts(elements) => Some(elements),
            SetContent::Networks(_) | SetContent::PortRanges(_) => None,
        }
    }

    /// The same, to be changed.
    pub(crate) fn elements_mut(&mut self) -> Option<&mut BTreeSet<SetElement>> {
        match &mut self.content {
            SetContent::Pods(elements) | SetContent::NamedPorts(elements) => Some(elements),
            SetContent::Networks(_) | SetContent::PortRanges(_) => None,
        }
    }

    /// Whether it has an address, the port of an address, or a port.
    pub(crate) fn contains(&self, address: IpAddr, protocol: L4Protocol, port: u16) -> bool {
        match &self.content {
            SetContent::Pods(elements) => elements.contains(&SetElement::Address(address)),
            SetContent::NamedPorts(elements) => {
                elements.contains(&SetElement::Port(address, protocol, port))
            }
            SetContent::Networks(networks) => networks.iter().any(|it| it.contains(&address)),
            SetContent::PortRanges(ranges) => ranges.iter().any(|it| it.contains(port)),
        }
    }
}
