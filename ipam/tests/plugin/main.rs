//! The plugin as a runtime calls it: the binary, with an environment and a configuration.

#![allow(clippy::unwrap_used, reason = "whatever fails here fails the test")]

mod bad_input;
mod changes;
mod claim;
mod crowd;
mod full_run;
mod sandbox;
mod verbs;
