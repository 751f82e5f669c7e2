//! The IPAM plugin. `flatland-ipam` is linked into this program: both are one file with two names, and the
//! name decides. Behind a wrapper the file may have any name: then the configuration decides.

use std::env;
use std::ffi::OsStr;
use std::path::Path;
use std::process::ExitCode;

use ::ipam::{ABOUT, HelperClient, Plugin};
use serde_json::Value;
use wire::cni::{Call, Delegate, Error, LinkedPlugin, Program};
use wire::conf::{IPAM_TYPE, PLUGIN_TYPE};

/// `flatland-ipam`.
const LINKED: LinkedPlugin = LinkedPlugin {
    name: IPAM_TYPE,
    program: &Plugin {
        claim_client: HelperClient,
    },
};

/// Whether this process was started under the name of the IPAM plugin, or one that begins so, such as
/// `flatland-ipam.real`.
pub(crate) fn is_called() -> bool {
    own_name().is_some_and(|own| own.starts_with(IPAM_TYPE))
}

/// The main function of `flatland-ipam`.
pub(crate) fn run() -> ExitCode {
    wire::cni::run(ABOUT, LINKED.program)
}

/// The IPAM plugin, if a call under another name is for it.
pub(crate) fn behind_wrapper(call: &Call) -> Option<&'static dyn Program> {
    let name = own_name().unwrap_or_default();
    is_meant(&name, Delegate::is_one(), &call.config).then_some(LINKED.program)
}

/// Searches for the IPAM plugin with that name ([`Delegate::find`]).
pub(crate) fn find(call: &Call, name: &str) -> Result<Delegate, Error> {
    Delegate::find(call, name, LINKED)
}

fn own_name() -> Option<String> {
    let own = env::args_os().next()?;
    let name = Path::new(&own).file_name().and_then(OsStr::to_str);
    name.map(str::to_owned)
}

/// Whether a call of a program with that name is for `flatland-ipam`: the configuration names it, and
/// either `flatland` runs this process, or the interface plugin that does is another one.
fn is_meant(name: &str, is_delegate: bool, config: &Value) -> bool {
    let interface_plugin = &config["type"];
    let is_other = ![PLUGIN_TYPE, name].iter().any(|it| interface_plugin == it);
    config["ipam"]["type"] == IPAM_TYPE && (is_delegate || is_other)
}

#[cfg(test)]
mod tests;
