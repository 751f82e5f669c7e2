//! The plugin: which verb does what, and where on this machine.

use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use wire::cni::{Call, Error, Program, Success};
use wire::node::run_dir;

use crate::asker::Asker;
use crate::disk::Disk;
use crate::ledger::Ledger;
use crate::{add, check, del, gc, status};

/// `flatland-ipam`.
#[derive(Debug)]
pub struct Plugin<A> {
    /// Who asks the registry for it.
    pub asker: A,
}

impl<A: Asker> Program for Plugin<A> {
    fn add(&self, call: &Call) -> Result<Success, Error> {
        add::run(&self.asker, call)
    }

    fn del(&self, call: &Call) -> Result<(), Error> {
        del::run(call)
    }

    fn check(&self, call: &Call) -> Result<(), Error> {
        check::run(call)
    }

    fn gc(&self, call: &Call) -> Result<(), Error> {
        gc::run(call)
    }

    fn status(&self, call: &Call) -> Result<(), Error> {
        status::run(&self.asker, call)
    }
}

/// The folder of the ledger of `network`.
pub(crate) fn disk(network: &str) -> Disk {
    Disk::new(run_dir(network))
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
