//! `flatland-ipam`: the CNI IPAM plugin. It hands out addresses from the node's own subnets.

use std::process::ExitCode;

use dlmalloc::GlobalDlmalloc;
use ipam::{HelperClient, Plugin};

/// The allocator of musl returns every page at once and maps it again for the next value. That is a
/// fifth of the processor time of an ADD (bench/README.md).
#[global_allocator]
static ALLOCATOR: GlobalDlmalloc = GlobalDlmalloc;

const ABOUT: &str = "\
CNI IPAM plugin of the Flatland pod network: hands out addresses of the subnets that this node owns.
An interface plugin such as flatland runs it, with the CNI_* variables and the network configuration
that it got from the container runtime.
Exit status: 0, or 1 with an error as JSON on standard output. See also flatland-ipam(8).";

fn main() -> ExitCode {
    let plugin = Plugin {
        claim_client: HelperClient,
    };
    wire::cni::run(ABOUT, &plugin)
}
