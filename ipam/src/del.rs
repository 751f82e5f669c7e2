//! DEL: frees the addresses of the attachment. Needs neither etcd nor the node's subnets nor a
//! valid `ipam` section nor anything that ADD leaves: no failure of these may keep a pod from being
//! deleted.

use wire::cni::{Call, Error};

use crate::runtime::{since_boot, with_session};

pub(crate) fn run(call: &Call) -> Result<(), Error> {
    let attachment = call.environment.attachment()?;
    with_session(&call.network, |session| {
        session.free(attachment, since_boot()?)
    })?;
    Ok(())
}
