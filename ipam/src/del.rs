//! DEL: free what the attachment holds. Needs neither etcd nor the node's subnets nor a valid
//! `ipam` section, and nothing that ADD would have left: a pod that cannot be deleted is worse
//! than anything that could be wrong with those.

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
