//! `flatland-ipam`: a CNI IPAM plugin that hands out addresses of the node's own subnets.

use std::process::ExitCode;

use ipam::Plugin;

const ABOUT: &str = "\
flatland-ipam: hands out pod addresses from subnets that this node owns.
A CNI IPAM plugin: a container runtime calls it, with CNI_COMMAND in the environment and the
network configuration on standard input.";

fn main() -> ExitCode {
    wire::cni::run(ABOUT, &Plugin::new())
}
