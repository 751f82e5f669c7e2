//! The CNI benchmark: ADD, DEL and CHECK, for which a container runtime waits. Runs on a node of
//! the lab.

pub(crate) mod addresses;
pub(crate) mod contender;
pub(crate) mod host;
pub(crate) mod latency;
mod order;
pub(crate) mod present;
pub(crate) mod process;
pub(crate) mod report;
pub(crate) mod storm;
