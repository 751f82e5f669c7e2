//! The data path benchmark: throughput, round trips and connections between pods.

pub(crate) mod first_packet;
pub(crate) mod paths;
pub(crate) mod probe;
pub(crate) mod report;
