//! A cluster on one machine, made of network namespaces: a switch, nodes, etcd and pods, running
//! the real binaries.
//!
//! All processes run below one that is pid 1 of its own pid namespace. However the [`Lab`] ends
//! (drop, panic, kill -9 of the test), that process reads the end of its standard input and exits,
//! and the kernel ends every process and namespace below it. Nothing changes in the caller's
//! network or mounts. Without root, the lab runs in a user namespace.

pub mod apiserver;
mod builder;
mod cables;
mod cluster;
mod command;
#[path = "../conformance/mod.rs"]
pub mod conformance;
pub mod containers;
mod daemon;
pub mod delay;
pub mod demo;
mod error;
mod etcd;
mod families;
mod firewalld;
mod kept;
mod machine;
pub mod namespaces;
mod node;
mod place;
mod pod;
pub mod policy;
pub mod probe;
pub mod raw;
pub mod rootfs;
mod runtime;
mod wait;

pub use builder::Builder;
pub use cluster::Lab;
pub use command::{CommandOutput, program_under_test, unpacked};
pub use daemon::Process;
pub use error::{Error, Result};
pub use etcd::EtcdMember;
pub use families::Families;
pub use firewalld::Firewalld;
pub use kept::{Kept, KeptPlace};
pub use machine::Machine;
pub use node::Node;
pub use place::Place;
pub use pod::Pod;
pub use runtime::{Attached, Runtime, Target};
pub use wait::{DEADLINE, wait_for, wait_until};
