//! What the container runtime finds on a node, while `routed` runs: the conflist, what others do to
//! it, and the plugins that it needs.

mod folder;
mod order;
mod overlap;
mod plugins;
mod readiness;
mod support;
