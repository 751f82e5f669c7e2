//! The Container Network Interface, spec 0.3.1 to 1.1.0, as a plugin sees it and as a plugin that
//! delegates to an IPAM plugin sees it.
//!
//! <https://github.com/containernetworking/cni/blob/spec-v1.1.0/SPEC.md>

mod args;
mod attachment;
mod call;
mod delegate;
mod environment;
mod error;
mod program;
mod result;
mod version;
mod version_probe;

pub use args::Args;
pub use attachment::Attachment;
pub use call::Call;
pub(crate) use call::{network_of, version_of};
pub use delegate::{Delegate, HelperOutcome, Running};
pub use environment::{Command, Environment};
pub use error::{Error, code};
pub use program::{Program, run};
pub use result::{Dns, Interface, IpConfig, Route, Success};
pub use version::Version;
pub use version_probe::{program_version, supported_versions};
