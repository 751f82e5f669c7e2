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
mod kernel;
mod kinds;
mod outages;
mod random_state;
mod scale;
mod start;
mod support;
/// The objects that there are.
#[path = "../../../policy/tests/oracle/world.rs"]
#[allow(dead_code, reason = "the other tests use the rest")]
mod world;
