//! Outages: what keeps working while etcd, the network or `routed` fails, and how it recovers.

mod certificates;
mod etcd;
mod etcd_members;
mod network;
mod no_space;
mod pods;
mod routed;
mod slow_etcd;
mod support;
