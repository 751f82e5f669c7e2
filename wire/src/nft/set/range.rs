//! Ranges of addresses.

use ipnet::IpNet;

use crate::address_number::number;
use crate::nft::ip_version::IpVersion;

/// Consecutive addresses, first and last included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    pub(super) first: u128,
    pub(super) last: u128,
}

impl Range {
    pub(super) fn of(prefix: &IpNet) -> Self {
        Self {
            first: number(prefix.network()),
            last: number(prefix.broadcast()),
        }
    }

    /// As nft prints it: as a prefix if it is one.
    pub(super) fn words(self, version: IpVersion) -> String {
        let [first, last] = [self.first, self.last].map(|number| version.address(number));
        if first == last {
            return first.to_string();
        }
        let width = version.length() * 8;
        // The host bits: all ones in `last`, all zeros in `first`.
        let host = self.first ^ self.last;
        let is_prefix = host & host.wrapping_add(1) == 0 && self.first & host == 0;
        if is_prefix {
            format!("{first}/{}", width - host.count_ones())
        } else {
            format!("{first}-{last}")
        }
    }
}
