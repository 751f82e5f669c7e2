//! `flatland-ipam`: a CNI IPAM plugin that hands out addresses of the node's own subnets.

use std::process::ExitCode;

use dlmalloc::GlobalDlmalloc;
use ipam::{HelperClient, Plugin};

/// musl's own allocator gives every page back at once and has it mapped anew for the next value,
/// which is a fifth of the processor time of an ADD (bench/README.md).
#[global_allocator]
static ALLOCATOR: GlobalDlmalloc = GlobalDlmalloc;

const ABOUT: &str = "\
CNI IPAM plugin of the Flatland pod network: hands out addresses of the subnets that this node owns.
An interface plugin such as flatland runs it, with the CNI_* variables and the network configuration
that it got from the container runtime.
Exit status: 0, or 1 with an error as JSON on standard output. See also flatland-ipam(8).";

fn main() -> ExitCode {
    let plugin = Plugin {
        asker: HelperClient,
    };
    wire::cni::run(ABOUT, &plugin)
}
