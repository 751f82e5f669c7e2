//! What crosses a boundary and more than one Flatland program speaks: the CNI protocol, the
//! conflist, netlink and network namespaces.
//!
//! Nothing here decides anything. The programs decide with pure functions over these types and
//! hand the outcome back to be sent.
