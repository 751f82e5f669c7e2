//! The Container Network Interface (CNI), spec 0.3.1 to 1.1.0, for a plugin and for a plugin that
//! delegates to an IPAM plugin.
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
pub use delegate::{Delegate, HelperOutcome, LinkedPlugin, RunningDelegate};
pub use environment::{CniCommand, Environment};
pub use error::{Error, code};
pub use program::{Program, run};
pub use result::{CniRoute, Dns, Interface, IpConfig, Success};
pub use version::CniVersion;
pub use version_probe::{program_version, supported_versions};
