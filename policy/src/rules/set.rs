//! A set that rules refer to.

use std::collections::BTreeSet;
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
    /// An element of [`SetContent::Ports`].
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
    /// A named port of pods: only [`SetElement::Port`].
    Ports(BTreeSet<SetElement>),
    /// Prefixes that do not overlap. They never change.
    Networks(Arc<[IpNet]>),
}

impl PeerSet {
    /// The elements that come and go: none of a set of prefixes.
    pub fn elements(&self) -> Option<&BTreeSet<SetElement>> {
        match &self.content {
            SetContent::Pods(elements) | SetContent::Ports(elements) => Some(elements),
            SetContent::Networks(_) => None,
        }
    }

    /// The same, to be changed.
    pub(crate) fn elements_mut(&mut self) -> Option<&mut BTreeSet<SetElement>> {
        match &mut self.content {
            SetContent::Pods(elements) | SetContent::Ports(elements) => Some(elements),
            SetContent::Networks(_) => None,
        }
    }

    /// Whether it has an address, or the port of an address.
    pub(crate) fn contains(&self, address: IpAddr, protocol: L4Protocol, port: u16) -> bool {
        match &self.content {
            SetContent::Pods(elements) => elements.contains(&SetElement::Address(address)),
            SetContent::Ports(elements) => {
                elements.contains(&SetElement::Port(address, protocol, port))
            }
            SetContent::Networks(networks) => networks.iter().any(|it| it.contains(&address)),
        }
    }
}
