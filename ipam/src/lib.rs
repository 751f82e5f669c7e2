//! The addresses of a node: the ledger of which attachment holds which address, and the CNI IPAM
//! plugin on top of it.
//!
//! A library, so that `routed`, which sweeps and shows the ledger, follows the same rules as the
//! plugin.

mod add;
mod check;
mod claim;
mod del;
mod gc;
mod ledger;
mod plugin;
mod requested_ips;
mod runtime;
mod status;
mod subnets;
mod timeouts;

pub use claim::helper::{ClaimProgram, DirectClient};
pub use claim::request::ClaimRequest;
pub use claim::{ClaimClient, HelperClient};
pub use ledger::allocation::Allocation;
pub use ledger::allocator::{Choice, Freed, is_usable, usable};
pub use ledger::cooling::reusable;
pub use ledger::disk::{Disk, DiskStep, StepHook};
pub use ledger::error::Error;
pub use ledger::follow::{AllocationChange, AllocationReader};
pub use ledger::inventory::Inventory;
pub use ledger::kernel_pods::{KernelPods, PodAddress, ReadPods, read as read_kernel_pods};
pub use ledger::request::AddressRequest;
pub use ledger::unavailable::Unavailable;
pub use ledger::usage::SubnetUsage;
pub use ledger::{Ledger, LockedLedger};
pub use plugin::{ABOUT, Plugin};
pub use runtime::since_boot;
pub use timeouts::MIN_COOL_DOWN;
