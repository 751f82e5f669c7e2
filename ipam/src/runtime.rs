//! What every verb needs: the ledger's folder, the clock, and warnings on standard error.

use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use wire::clock;
use wire::paths::run_dir;

use crate::ledger::disk::Disk;
use crate::ledger::{Ledger, LockedLedger};

/// The folder of the ledger of `network`.
pub(crate) fn ledger_disk(network: &str) -> Disk {
    Disk::new(run_dir(network))
}

/// Calls `work` with the ledger of `network` locked, and logs its warnings. `None` if there is no
/// ledger.
pub(crate) fn with_session<T>(
    network: &str,
    work: impl FnOnce(&LockedLedger<'_>) -> Result<T, crate::Error>,
) -> Result<Option<T>, crate::Error> {
    let Some(ledger) = Ledger::existing(ledger_disk(network))? else {
        return Ok(None);
    };
    let result = ledger.lock().and_then(|session| work(&session));
    log_warnings(&ledger);
    result.map(Some)
}

/// The time since boot, including suspend (`CLOCK_BOOTTIME`). Unlike the wall clock, it never
/// jumps. Read it while the ledger is locked, so that times in the ledger are not in the future.
pub fn since_boot() -> Result<Duration, crate::Error> {
    clock::since_boot().map_err(crate::Error::io("read", Path::new("CLOCK_BOOTTIME")))
}

/// Logs a problem that is no failure. The runtime keeps standard error in its log.
pub(crate) fn warn(warning: &str) {
    // A closed standard error must not fail the call.
    let _ = writeln!(io::stderr(), "flatland-ipam: {warning}");
}

/// Logs the ledger's warnings.
pub(crate) fn log_warnings(ledger: &Ledger) {
    ledger.warnings().iter().for_each(|warning| warn(warning));
}
