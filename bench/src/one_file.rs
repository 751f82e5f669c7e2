//! `flatland-ipam` with the claiming code linked in instead of in a separate program: etcd client,
//! asynchronous runtime, TLS. Compared with the real one, it shows what these would cost calls that
//! do not use them.

use std::process::ExitCode;

use dlmalloc::GlobalDlmalloc;
use ipam::{DirectClient, Plugin};

/// The allocator of the programs that are compared with it.
#[global_allocator]
static ALLOCATOR: GlobalDlmalloc = GlobalDlmalloc;

fn main() -> ExitCode {
    let plugin = Plugin {
        claim_client: DirectClient,
    };
    wire::cni::run("see the source for what this is", &plugin)
}
