//! GC: frees the addresses of attachments that the runtime does not know any more.

use wire::cni::{Call, Error};

use crate::runtime::{since_boot, with_session};

pub(crate) fn run(call: &Call) -> Result<(), Error> {
    let valid = call.valid_attachments()?;
    with_session(&call.network, |session| {
        session.retain_only(&valid, since_boot()?)
    })?;
    Ok(())
}
