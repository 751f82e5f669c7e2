//! `flatland-ipam` with what claims subnets linked in instead of in a program beside it: etcd client,
//! asynchronous runtime, TLS. Beside the real one it shows what those would cost a call that does not
//! use them.

use std::process::ExitCode;

use dlmalloc::GlobalDlmalloc;
use ipam::{DirectClient, Plugin};

/// As in the programs that are measured against it.
#[global_allocator]
static ALLOCATOR: GlobalDlmalloc = GlobalDlmalloc;

fn main() -> ExitCode {
    let plugin = Plugin {
        claim_client: DirectClient,
    };
    wire::cni::run("see the source for what this is", &plugin)
}
