//! `conf/kubernetes`: the manifests are valid for the Kubernetes API, and the containers of the
//! DaemonSet make a pod network with exactly the rights that it lists.

#![allow(
    clippy::unwrap_used,
    reason = "a manifest without what is looked for fails the test"
)]

mod api;
mod apply;
mod conflists;
mod daemonset;
mod default;
mod etcd;
mod helm;
mod manifests;
mod network_policy;
mod node;
mod policies;
mod rights;
mod uninstall;
