//! The plugin: which verb does what, and where on this machine.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use wire::cni::{Call, Error, Program, Success};
use wire::node::{self, MachineId};

use crate::disk::Disk;
use crate::ledger::Ledger;
use crate::{add, check, del, gc, status};

/// `flatland-ipam`.
#[derive(Debug)]
pub struct Plugin {
    root: PathBuf,
}

impl Plugin {
    /// The plugin on this machine.
    pub fn new() -> Self {
        Self::below(Path::new("/"))
    }

    /// The plugin with everything it reads and writes below `root`.
    pub fn below(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
        }
    }

    fn below_root(&self, path: &Path) -> PathBuf {
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// Where the node keeps which subnets of `network` it owns.
    pub(crate) fn state_dir(&self, network: &str) -> PathBuf {
        self.below_root(&node::state_dir(network))
    }

    /// The folder of the ledger of `network`.
    pub(crate) fn disk(&self, network: &str) -> Disk {
        Disk::new(self.below_root(&node::run_dir(network)))
    }

    /// Which machine this is.
    pub(crate) fn machine_id(&self) -> Result<MachineId, Error> {
        MachineId::read_from(&self.root.join("etc/machine-id"))
    }
}

impl Default for Plugin {
    fn default() -> Self {
        Self::new()
    }
}

impl Program for Plugin {
    fn add(&self, call: &Call) -> Result<Success, Error> {
        add::run(self, call)
    }

    fn del(&self, call: &Call) -> Result<(), Error> {
        del::run(self, call)
    }

    fn check(&self, call: &Call) -> Result<(), Error> {
        check::run(self, call)
    }

    fn gc(&self, call: &Call) -> Result<(), Error> {
        gc::run(self, call)
    }

    fn status(&self, call: &Call) -> Result<(), Error> {
        status::run(self, call)
    }
}

/// The time since boot, including what the machine slept; unlike the calendar it never jumps. Read
/// it while the ledger is locked: what others have written by then is not from the future.
pub fn since_boot() -> Result<Duration, crate::Error> {
    clock_gettime(ClockId::CLOCK_BOOTTIME)
        .map(Duration::from)
        .map_err(|errno| crate::Error::io("read", Path::new("CLOCK_BOOTTIME"))(errno.into()))
}

/// Tells whoever reads the runtime's log what did not fail and is not right either.
pub(crate) fn tell(warning: &str) {
    // That nobody listens there changes no result.
    let _ = writeln!(io::stderr(), "flatland-ipam: {warning}");
}

/// Tells what the ledger has to say besides its results.
pub(crate) fn report(ledger: &Ledger) {
    ledger.warnings().iter().for_each(|warning| tell(warning));
}
