//! By which addresses peers are told that they reach this node.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use tracing::{error, warn};

use crate::host::addresses;
use crate::log::OnChange;
use crate::text::list;

/// How long peers are told addresses of a family of which this node has none any more.
const GRACE: Duration = Duration::from_secs(60);

/// What peers are told.
#[derive(Debug, Default)]
pub(super) struct Advertised {
    addresses: Vec<IpAddr>,
    /// Since when they are told an address that this node does not have any more.
    vanished_at: Option<Instant>,
    trouble: OnChange,
}

impl Advertised {
    /// The addresses.
    pub(super) fn addresses(&self) -> &[IpAddr] {
        &self.addresses
    }

    /// Why there is none, or one too many, in words.
    pub(super) fn trouble(&self) -> Option<&str> {
        self.trouble.current()
    }

    /// These were `found` on the node, or none, because of something. Returns whether that is all
    /// that peers are told; if not, look again.
    pub(super) fn update(&mut self, found: Result<Vec<IpAddr>, String>, now: Instant) -> bool {
        let (found, why) = match found {
            Ok(found) => (found, None),
            Err(why) => (Vec::new(), Some(why)),
        };
        let bridged = addresses::keep_missing_family(&self.addresses, &found);
        if !found.is_empty() && bridged == found {
            self.vanished_at = None;
            self.trouble.clear();
            self.addresses = found;
            return true;
        }
        self.log_missing(why);
        let is_patient = now < *self.vanished_at.get_or_insert(now) + GRACE;
        let is_kept = is_patient || found.is_empty();
        self.addresses = if is_kept { bridged } else { found };
        false
    }

    fn log_missing(&mut self, why: Option<String>) {
        let why = why.unwrap_or_else(|| "an address of this node is gone".to_owned());
        if !self.trouble.changed(&why) {
            return;
        }
        if self.addresses.is_empty() {
            error!("{why}; until then no peer can reach this node");
        } else {
            warn!("{why}; peers are told {} for now", list(&self.addresses));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_that_vanished_is_told_for_a_minute_unless_there_is_nothing_else() {
        let start = Instant::now();
        let ips = |texts: &[&str]| -> Vec<IpAddr> {
            texts.iter().map(|text| text.parse().unwrap()).collect()
        };
        let (both, v6) = (ips(&["192.168.1.1", "fd00:1::1"]), ips(&["fd00:1::1"]));
        let bridged = ips(&["fd00:1::1", "192.168.1.1"]);
        let mut told = Advertised::default();
        for (second, found, expected, is_whole) in [
            (0, Ok(both.clone()), &both, true),
            // Nobody looked for long.
            (500, Ok(v6.clone()), &bridged, false),
            (559, Ok(v6.clone()), &bridged, false),
            (560, Ok(v6.clone()), &v6, false),
            (561, Ok(v6.clone()), &v6, true),
            (570, Err("no uplink".to_owned()), &v6, false),
            (999, Err("no uplink".to_owned()), &v6, false),
        ] {
            let now = start + Duration::from_secs(second);
            let looked = told.update(found, now);
            assert_eq!(
                (told.addresses(), looked),
                (&**expected, is_whole),
                "{second}"
            );
        }
        assert_eq!(told.trouble(), Some("no uplink"));
        assert!(told.update(Ok(both), start) && told.trouble().is_none());
    }
}
