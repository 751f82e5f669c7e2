//! What `conf/kubernetes` has: manifests that the Kubernetes API takes, and a DaemonSet of which
//! containers with just those rights make a pod network.

#![allow(
    clippy::unwrap_used,
    reason = "a manifest without what is looked for fails the test"
)]

mod api;
mod apply;
mod daemonset;
mod etcd;
mod manifests;
mod node;
