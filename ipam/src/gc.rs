//! GC: frees the addresses of attachments that the runtime does not know any more.

use wire::cni::{Call, Error};

use crate::ledger::Ledger;
use crate::runtime::{ledger_disk, log_warnings, since_boot};

pub(crate) fn run(call: &Call) -> Result<(), Error> {
    let valid = call.valid_attachments()?;
    let Some(ledger) = Ledger::existing(ledger_disk(&call.network))? else {
        return Ok(());
    };
    let freed = ledger
        .lock()
        .and_then(|session| session.retain_only(&valid, since_boot()?));
    log_warnings(&ledger);
    freed?;
    Ok(())
}
