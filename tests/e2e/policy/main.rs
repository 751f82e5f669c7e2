//! Network policies: `flatland-policy`, the plugins and the kernel as they are, with an API server for
//! tests ([`lab::apiserver`], whose page says what it does not show).

mod denials;
mod kinds;
mod outages;
mod start;
mod support;
