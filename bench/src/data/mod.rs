//! The data path: what a pod's packets cost.

pub(crate) mod first;
pub(crate) mod lab;
pub(crate) mod probe;
pub(crate) mod report;
