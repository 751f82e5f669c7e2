//! The ledger from outside: its guarantees hold in spite of foreign files, crashes and concurrent
//! processes.

#![allow(clippy::unwrap_used, reason = "whatever fails here fails the test")]

mod cases;
mod common;
mod damage;
mod model;
mod random;
mod storm;
mod wiped;
