//! Kubernetes' Node objects as the registry, with `routed`, the plugins and the kernel as they are,
//! and an API server for tests ([`lab::ApiServer`], whose page says what it does not show).

mod cluster;
mod distrust;
mod joining;
mod outages;
mod own_node;
mod report;
mod scale;
