//! What every verb needs of this machine: the folder of the ledger, the clock, and the runtime's log.

use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use wire::clock;
use wire::paths::run_dir;

use crate::ledger::Ledger;
use crate::ledger::disk::Disk;

/// The folder of the ledger of `network`.
pub(crate) fn ledger_disk(network: &str) -> Disk {
    Disk::new(run_dir(network))
}

/// The time since boot, including what the machine slept; unlike the calendar it never jumps. Read
/// it while the ledger is locked: what others have written by then is not from the future.
pub fn since_boot() -> Result<Duration, crate::Error> {
    clock::since_boot().map_err(crate::Error::io("read", Path::new("CLOCK_BOOTTIME")))
}

/// Tells whoever reads the runtime's log what did not fail and is not right either.
pub(crate) fn warn(warning: &str) {
    // That nobody listens there changes no result.
    let _ = writeln!(io::stderr(), "flatland-ipam: {warning}");
}

/// Tells what the ledger has to say besides its results.
pub(crate) fn log_warnings(ledger: &Ledger) {
    ledger.warnings().iter().for_each(|warning| warn(warning));
}
