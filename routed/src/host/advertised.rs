//! The node addresses that are advertised to peers, which use them as next hops.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use tracing::{error, warn};

use crate::host::addresses;
use crate::log::OnChange;
use crate::text::list;

/// How long addresses stay advertised after the node has lost its last address of their family.
const MISSING_FAMILY_GRACE: Duration = Duration::from_secs(60);

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
        let in_grace = now < *self.missing_since.get_or_insert(now) + MISSING_FAMILY_GRACE;
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
mod tests {
    use super::*;

    #[test]
    fn missing_family_is_advertised_for_a_minute_or_if_it_is_all() {
        let start = Instant::now();
        let ips = |texts: &[&str]| -> Vec<IpAddr> {
            texts.iter().map(|text| text.parse().unwrap()).collect()
        };
        let (both, v6) = (ips(&["192.168.1.1", "fd00:1::1"]), ips(&["fd00:1::1"]));
        let kept = ips(&["fd00:1::1", "192.168.1.1"]);
        let mut advertised = Advertised::default();
        for (second, found, expected, is_whole) in [
            (0, Ok(both.clone()), &both, true),
            // No check for a long time.
            (500, Ok(v6.clone()), &kept, false),
            (559, Ok(v6.clone()), &kept, false),
            (560, Ok(v6.clone()), &v6, false),
            (561, Ok(v6.clone()), &v6, true),
            (570, Err("no uplink".to_owned()), &v6, false),
            (999, Err("no uplink".to_owned()), &v6, false),
        ] {
            let now = start + Duration::from_secs(second);
            let result = advertised.update(found, now);
            assert_eq!(
                (advertised.addresses(), result),
                (&**expected, is_whole),
                "{second}"
            );
        }
        assert_eq!(advertised.trouble(), Some("no uplink"));
        assert!(advertised.update(Ok(both), start) && advertised.trouble().is_none());
    }
}
