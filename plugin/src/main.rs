//! `flatland`: the CNI plugin. A veth pair into the pod's network namespace and a host route to
//! the pod; the addresses come from the IPAM plugin named in the configuration.
//!
//! Run under the name `flatland-ipam` it is that plugin: both are one file, so that one process does the
//! work of a call.

mod add;
mod apply;
mod check;
mod deferred_delete;
mod del;
mod drift;
mod error;
mod gc;
mod ipam;
mod ipv6;
mod node;
mod policy;
mod requested_mac;
mod result;
mod spoof_guard;
mod status;
mod timeouts;
mod wiring;

use std::process::ExitCode;

use dlmalloc::GlobalDlmalloc;
use wire::cni::{Call, Error, Program, Success};

/// The allocator of musl unmaps and maps pages again and again, which costs a fifth of the CPU time
/// of an ADD (bench/README.md).
#[global_allocator]
static ALLOCATOR: GlobalDlmalloc = GlobalDlmalloc;

const ABOUT: &str = "\
CNI plugin of the Flatland pod network: one address per pod, routed, no NAT, no overlay, no bridge.
A container runtime runs it, as configured in /etc/cni/net.d. By hand it takes a network configuration
on standard input and the CNI_* variables (see README.md, \"Trying the plugin by hand\"):
  CNI_COMMAND=ADD CNI_CONTAINERID=blue CNI_NETNS=/run/netns/blue CNI_IFNAME=eth0 \\
    CNI_PATH=/opt/cni/bin flatland < one.conf
Exit status: 0, or 1 with an error as JSON on standard output. See also flatland(8).";

#[derive(Debug)]
struct Flatland;

impl Program for Flatland {
    fn add(&self, call: &Call) -> Result<Success, Error> {
        add::add(call)
    }

    fn del(&self, call: &Call) -> Result<(), Error> {
        del::del(call)
    }

    fn check(&self, call: &Call) -> Result<(), Error> {
        check::check(call)
    }

    fn gc(&self, call: &Call) -> Result<(), Error> {
        gc::gc(call)
    }

    fn status(&self, call: &Call) -> Result<(), Error> {
        status::status(call)
    }

    fn meant_by(&self, call: &Call) -> Option<&'static dyn Program> {
        ipam::behind_wrapper(call)
    }
}

fn main() -> ExitCode {
    if deferred_delete::is_helper_call() {
        return deferred_delete::run();
    }
    if ipam::is_called() {
        return ipam::run();
    }
    wire::cni::run(ABOUT, &Flatland)
}
