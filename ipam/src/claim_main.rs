//! `flatland-claim`: claims subnets where `flatland-ipam` has no address left.

use std::env;
use std::process::ExitCode;

use ipam::ClaimerProgram;

const ABOUT: &str = "\
Claims subnets of the pod CIDR for this node, in etcd. Part of flatland-ipam, the CNI IPAM plugin of
the Flatland pod network, which runs it when an ADD finds no free address, and once after each start
of the machine. It is of no use by itself. See also flatland-ipam(8).";

fn main() -> ExitCode {
    let arguments = env::args_os().skip(1);
    let arguments = arguments.map(|argument| argument.to_string_lossy().into_owned());
    let program = ClaimerProgram {
        arguments: arguments.collect(),
    };
    wire::cni::run(ABOUT, &program)
}
