//! STATUS: checks whether an ADD would succeed.

use wire::cni::{Call, Error, code};
use wire::conf::PluginConfig;
use wire::netlink::NetlinkSocket;

use crate::error::kernel;
use crate::policy;
use crate::{ipam, node};

/// Does the checks of an ADD without changing anything, and runs STATUS of the IPAM plugin.
pub(crate) fn status(call: &Call) -> Result<(), Error> {
    could_add(call).map_err(unavailable)
}

fn could_add(call: &Call) -> Result<(), Error> {
    let config = PluginConfig::parse(&call.config)?;
    let mut host =
        NetlinkSocket::open().map_err(|error| kernel("cannot reach the kernel", &error))?;
    node::describe(&mut host, &config)?;
    let ipam = ipam::find(call, &config.ipam_type)?;
    policy::require_rules(&config)?;
    ipam.status(call)
}

/// STATUS has two codes: 51 is kept, all other errors become 50.
fn unavailable(error: Error) -> Error {
    match error.code {
        code::UNAVAILABLE | code::LIMITED_CONNECTIVITY => error,
        _ => Error {
            code: code::UNAVAILABLE,
            ..error.within("ADD would fail")
        },
    }
}

#[cfg(test)]
mod tests;
