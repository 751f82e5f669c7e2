//! Kubernetes Services on top of Flatland: rules in the shape of kube-proxy's iptables and nftables
//! modes, on real nodes with pods. Flatland and kube-proxy do not disturb each other, and a backend
//! sees the source address that Kubernetes documents.

mod cluster;
mod foreign_rules;
mod iptables;
mod load_balancing;
mod nftables;
mod service;
mod source_addresses;
