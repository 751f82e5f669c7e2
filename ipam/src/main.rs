//! `flatland-ipam`: a CNI IPAM plugin that hands out addresses of the node's own subnets.

use std::process::ExitCode;

use dlmalloc::GlobalDlmalloc;
use ipam::Plugin;

/// musl's own allocator gives every page back at once and has it mapped anew for the next value,
/// which is a fifth of the processor time of an ADD (bench/README.md).
#[global_allocator]
static ALLOCATOR: GlobalDlmalloc = GlobalDlmalloc;

const ABOUT: &str = "\
flatland-ipam: hands out pod addresses from subnets that this node owns.
A CNI IPAM plugin: a container runtime calls it, with CNI_COMMAND in the environment and the
network configuration on standard input.";

fn main() -> ExitCode {
    wire::cni::run(ABOUT, &Plugin::new())
}
