//! The MAC address that an ADD requests for the pod.
//!
//! The first of three places that has one counts: `runtimeConfig.mac` (which a runtime sets for the
//! capability `mac`), `args.cni.mac` of the configuration, and `MAC` in `CNI_ARGS`.

use serde_json::Value;
use wire::cni::{Call, Error, code};
use wire::netlink::Mac;

/// The requested MAC address, if there is one.
pub(crate) fn mac(call: &Call) -> Result<Option<Mac>, Error> {
    for pointer in ["/runtimeConfig/mac", "/args/cni/mac"] {
        let name = pointer[1..].replace('/', ".");
        match call.config.pointer(pointer) {
            None | Some(Value::Null) => {}
            Some(Value::String(text)) if text.is_empty() => {}
            Some(Value::String(text)) => {
                return check(&name, code::INVALID_CONFIG, text).map(Some);
            }
            Some(other) => {
                let msg = format!("{name}: {other} is not a string");
                return Err(Error::new(code::INVALID_CONFIG, msg));
            }
        }
    }
    match call.environment.args.get("MAC") {
        None | Some("") => Ok(None),
        Some(text) => check("MAC of CNI_ARGS", code::INVALID_ENVIRONMENT, text).map(Some),
    }
}

/// Checks what the kernel requires of an interface (`is_valid_ether_addr`).
fn check(name: &str, code: u32, text: &str) -> Result<Mac, Error> {
    let mac: Mac = text
        .parse()
        .map_err(|error| Error::new(code, format!("{name}: {error}")))?;
    if mac.0[0] & 1 == 1 || mac.0 == [0; 6] {
        let msg = format!("{name}: {mac} is no interface's MAC");
        return Err(Error::new(code, msg).advise("the first byte must be even, and not all zero"));
    }
    Ok(mac)
}

#[cfg(test)]
mod tests;
