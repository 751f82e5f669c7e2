//! Versions of the CNI spec.

use std::fmt;
use std::str::FromStr;

/// A supported version of the CNI spec. Later versions are greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CniVersion {
    /// 0.3.1: `interfaces`, and `version` in each of `ips`.
    V0_3_1,
    /// 0.4.0: CHECK and `prevResult`.
    V0_4_0,
    /// 1.0.0: `version` is gone from `ips`.
    V1_0_0,
    /// 1.1.0: GC, STATUS, `mtu` and route metrics in results.
    V1_1_0,
}

impl CniVersion {
    /// All supported versions, oldest first: the reply to VERSION.
    pub const ALL: [Self; 4] = [Self::V0_3_1, Self::V0_4_0, Self::V1_0_0, Self::V1_1_0];

    /// The newest supported version.
    pub const LATEST: Self = Self::V1_1_0;

    /// As written in `cniVersion`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V0_3_1 => "0.3.1",
            Self::V0_4_0 => "0.4.0",
            Self::V1_0_0 => "1.0.0",
            Self::V1_1_0 => "1.1.0",
        }
    }
}

impl fmt::Display for CniVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A version that is not one of [`CniVersion::ALL`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("CNI version {0:?} is not one of 0.3.1, 0.4.0, 1.0.0, 1.1.0")]
pub struct UnknownVersion(pub String);

impl FromStr for CniVersion {
    type Err = UnknownVersion;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|version| version.as_str() == text)
            .ok_or_else(|| UnknownVersion(text.to_owned()))
    }
}

#[cfg(test)]
mod tests;
