//! GC: free what is held by attachments that the runtime does not know any more.

use wire::cni::{Call, Error};

use crate::ledger::Ledger;
use crate::runtime::{disk, report, since_boot};

pub(crate) fn run(call: &Call) -> Result<(), Error> {
    let valid = call.valid_attachments()?;
    let Some(ledger) = Ledger::existing(disk(&call.network))? else {
        return Ok(());
    };
    let freed = ledger
        .lock()
        .and_then(|session| session.keep_only(&valid, since_boot()?));
    report(&ledger);
    freed?;
    Ok(())
}
