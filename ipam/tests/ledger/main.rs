//! The ledger from outside: what it promises, and that neither other people's files, nor crashes,
//! nor crowds break the promise.

#![allow(clippy::unwrap_used, reason = "whatever fails here fails the test")]

mod cases;
mod common;
mod damage;
mod random;
mod storm;
