//! Kubernetes Services on top of Flatland: rules of the shape that kube-proxy writes, by iptables
//! and by nftables, on real nodes with pods. Neither we nor they get in each other's way, and a
//! backend sees the address that Kubernetes says it sees.

mod cluster;
mod iptables;
mod nftables;
mod service;
mod sources;
mod spreading;
mod untouched;
