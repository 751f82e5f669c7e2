//! `flatland-ipam`: the CNI IPAM plugin alone. It hands out addresses from the node's own subnets. What is
//! shipped under this name is `flatland`, which does the same under it.

use std::process::ExitCode;

use dlmalloc::GlobalDlmalloc;
use ipam::{ABOUT, HelperClient, Plugin};

/// The allocator of musl returns every page at once and maps it again for the next value. That is a
/// fifth of the processor time of an ADD (bench/README.md).
#[global_allocator]
static ALLOCATOR: GlobalDlmalloc = GlobalDlmalloc;

fn main() -> ExitCode {
    let plugin = Plugin {
        claim_client: HelperClient,
    };
    wire::cni::run(ABOUT, &plugin)
}
