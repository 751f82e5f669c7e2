//! The registry against a real etcd. Each test has its own etcd on loopback.

#![allow(clippy::unwrap_used, reason = "whatever fails here fails the test")]

mod absence;
mod both;
mod claims;
mod connection;
mod forget;
mod further;
mod history;
mod oversized;
mod owned;
mod presence;
mod races;
mod snapshots;
mod stampede;
mod support;
mod tls;
mod watch;
