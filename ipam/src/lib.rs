//! The ledger of a node: which attachment holds which address of the node's subnets.
//!
//! A library, so that what else works on the ledger (`routed` sweeps it and shows it) does so by
//! the same rules as the plugin.

mod allocation;
mod disk;
mod error;
mod hints;
mod ledger;
mod lock;
mod pool;
mod queue;
mod release;
mod steps;

pub use allocation::Allocation;
pub use disk::{Disk, Step, Watch};
pub use error::Error;
pub use ledger::{Ledger, Request, Session};
pub use pool::{Choice, Freed, capacity, is_usable};
pub use release::Inventory;
