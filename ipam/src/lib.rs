//! A node's addresses: the ledger of which attachment holds which, and the CNI plugin over it.
//!
//! A library, so that what else works on the ledger (`routed` sweeps it and shows it) does so by
//! the same rules as the plugin.

mod add;
mod allocation;
mod asked;
mod asker;
mod asking;
mod check;
mod claim;
mod collect;
mod del;
mod disk;
mod error;
mod gc;
mod hints;
mod ledger;
mod lock;
mod plugin;
mod pool;
mod queue;
mod release;
mod request;
mod status;
mod steps;
mod subnets;
mod truth;
mod usage;
mod want;

pub use allocation::Allocation;
pub use asker::{Asker, ByProgram};
pub use asking::{ClaimProgram, InProcess};
pub use disk::{Disk, Step, Watch};
pub use error::Error;
pub use ledger::{Ledger, Session};
pub use plugin::{Plugin, since_boot};
pub use pool::{Choice, Freed, is_usable, usable};
pub use release::Inventory;
pub use request::{Obstacle, Request};
pub use usage::Usage;
pub use want::Want;
