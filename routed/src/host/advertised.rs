//! The node addresses that are advertised to peers, which use them as next hops.

use std::net::IpAddr;
use std::time::Instant;

use daemonkit::OnChange;
use tracing::{error, warn};

use crate::host::addresses;
use crate::text::list;
use crate::timeouts::MISSING_FAMILY_GRACE_TIME;

/// The advertised addresses.
#[derive(Debug, Default)]
pub(super) struct Advertised {
    addresses: Vec<IpAddr>,
    /// Since when an address is advertised that this node no longer has.
    missing_since: Option<Instant>,
    trouble: OnChange,
}

impl Advertised {
    /// The addresses.
    pub(super) fn addresses(&self) -> &[IpAddr] {
        &self.addresses
    }

    /// Why no address is advertised, or one that the node no longer has.
    pub(super) fn trouble(&self) -> Option<&str> {
        self.trouble.current()
    }

    /// Takes in the addresses that were `found` on the node, or why there is none. Returns whether
    /// exactly these are advertised; if not, the caller has to check again.
    pub(super) fn update(&mut self, found: Result<Vec<IpAddr>, String>, now: Instant) -> bool {
        let (found, why) = match found {
            Ok(found) => (found, None),
            Err(why) => (Vec::new(), Some(why)),
        };
        let kept = addresses::keep_missing_family(&self.addresses, &found);
        if !found.is_empty() && kept == found {
            self.missing_since = None;
            self.trouble.clear();
            self.addresses = found;
            return true;
        }
        self.log_missing(why);
        let in_grace = now < *self.missing_since.get_or_insert(now) + MISSING_FAMILY_GRACE_TIME;
        let is_kept = in_grace || found.is_empty();
        self.addresses = if is_kept { kept } else { found };
        false
    }

    fn log_missing(&mut self, why: Option<String>) {
        let why = why.unwrap_or_else(|| "an address of this node is gone".to_owned());
        if !self.trouble.changed(&why) {
            return;
        }
        if self.addresses.is_empty() {
            error!(error = %why, "{why}; until then no peer can reach this node");
        } else {
            let addresses = list(&self.addresses);
            warn!(error = %why, address = %addresses, "{why}; advertising {addresses} for now");
        }
    }
}

#[cfg(test)]
mod tests;
