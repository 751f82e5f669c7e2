//! `flatland-claim`: claims subnets for `flatland-ipam`, which runs it as a helper.

use std::env;
use std::process::ExitCode;

use ipam::ClaimProgram;

const ABOUT: &str = "\
Claims subnets of the pod CIDR for this node. Part of flatland-ipam, the CNI IPAM plugin of the Flatland
pod network, which runs it when an ADD finds no free address, and once after each start of the
machine. It is of no use by itself.
Exit status: 0, or 1 with an error as JSON on standard output. See also flatland-ipam(8).";

fn main() -> ExitCode {
    let arguments = env::args_os().skip(1);
    let arguments = arguments.map(|argument| argument.to_string_lossy().into_owned());
    let program = ClaimProgram {
        arguments: arguments.collect(),
    };
    wire::cni::run(ABOUT, &program)
}
