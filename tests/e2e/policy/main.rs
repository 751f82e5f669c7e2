//! Network policies: `flatland-policy`, the plugins and the kernel as they are, with an API server for
//! tests ([`lab::apiserver`], whose page says what it does not show).

mod denials;
/// What the documentation says of a connection, shared with the tests of the policies' core.
#[path = "../../../policy/tests/oracle/evaluate.rs"]
#[allow(
    dead_code,
    clippy::unwrap_used,
    reason = "the other tests use the rest"
)]
mod evaluate;
/// kube-proxy's iptables mode, shared with the tests of Services.
#[path = "../services/iptables.rs"]
mod iptables;
mod kernel;
mod kinds;
/// kube-proxy's nftables mode.
#[path = "../services/nftables.rs"]
mod nftables;
mod outages;
mod random_state;
mod scale;
/// Services as kube-proxy sees them.
#[path = "../services/service.rs"]
mod service;
mod services;
mod start;
mod support;
/// The objects that there are.
#[path = "../../../policy/tests/oracle/world.rs"]
#[allow(dead_code, reason = "the other tests use the rest")]
mod world;
