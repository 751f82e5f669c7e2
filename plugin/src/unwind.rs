//! What becomes of the addresses of an ADD that failed.

use wire::cni::{Call, Delegate, Error, code};
use wire::host_end::is_removed;
use wire::netlink::Socket;

use crate::failure::kernel;
use crate::host;
use crate::make::with_details;

const STAY: &str = "its addresses stay reserved until DEL is called";

/// The error of an ADD whose IPAM plugin refused it. That may have left something, which its DEL
/// takes back (SPEC.md, section 4), unless it says that the attachment had its addresses before.
pub(crate) fn refused(error: Error, call: &Call, ipam: &Delegate) -> Error {
    match error.code {
        code::ALREADY_ATTACHED => error,
        _ => give_back(error, call, ipam),
    }
}

/// The error of an ADD that took back all it had made, once the IPAM plugin has its addresses back.
///
/// It keeps them where the attachment has an interface all the same: that is an earlier ADD's, of a
/// pod that runs, and the IPAM plugin may have given this ADD the very addresses that the pod has.
pub(crate) fn give_back(error: Error, call: &Call, ipam: &Delegate) -> Error {
    let earlier = Socket::open()
        .map_err(|error| kernel("cannot reach the kernel", &error))
        .and_then(|mut host| host::end_of(call, &mut host))
        .map(|link| link.filter(|link| !is_removed(link)));
    let why = match earlier {
        Ok(None) => match ipam.del(call) {
            Ok(()) => return error,
            Err(second) => format!("giving the addresses back failed too: {second}"),
        },
        Ok(Some(link)) => format!("host interface {} is an earlier ADD's: {STAY}", link.name),
        Err(second) => {
            format!("whether there was an earlier ADD cannot be told ({second}): {STAY}")
        }
    };
    with_details(error, &why)
}
