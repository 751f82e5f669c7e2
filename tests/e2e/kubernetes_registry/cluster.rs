//! The lab of these tests.

pub(crate) use lab::apiserver::cluster::{
    Cluster, cidrs, give_account, peer_routes, user, wait_peer_routes,
};
