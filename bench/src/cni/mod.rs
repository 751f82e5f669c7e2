//! ADD, DEL and CHECK: what a container runtime waits for. Runs on a node of the lab.

pub(crate) mod addresses;
pub(crate) mod contender;
pub(crate) mod host;
pub(crate) mod latency;
pub(crate) mod present;
pub(crate) mod process;
pub(crate) mod report;
pub(crate) mod storm;
mod turns;
