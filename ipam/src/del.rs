//! DEL: frees the addresses of the attachment. Needs neither etcd nor the node's subnets nor a
//! valid `ipam` section nor anything that ADD leaves: no failure of these may keep a pod from being
//! deleted.

use wire::cni::{Call, Error};

use crate::ledger::Ledger;
use crate::runtime::{ledger_disk, log_warnings, since_boot};

pub(crate) fn run(call: &Call) -> Result<(), Error> {
    let attachment = call.environment.attachment()?;
    let Some(ledger) = Ledger::existing(ledger_disk(&call.network))? else {
        return Ok(());
    };
    let freed = ledger
        .lock()
        .and_then(|session| session.free(attachment, since_boot()?));
    log_warnings(&ledger);
    freed?;
    Ok(())
}
