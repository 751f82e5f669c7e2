//! Versions of the CNI spec.

use std::fmt;
use std::str::FromStr;

use serde_json::{Value, json};

/// A version of the CNI spec.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Spec(u8, u8, u8);

impl Spec {
    /// The first with `interfaces` and `ips` in results: the oldest that the suite tests.
    pub const V0_3_0: Self = Self(0, 3, 0);
    /// The first with CHECK.
    pub const V0_4_0: Self = Self(0, 4, 0);
    /// The first without `version` in `ips`.
    pub const V1_0_0: Self = Self(1, 0, 0);
    /// The first with STATUS and GC.
    pub const V1_1_0: Self = Self(1, 1, 0);

    /// The versions that have been released (SPEC.md, "Released versions").
    pub const RELEASED: [Self; 7] = [
        Self(0, 1, 0),
        Self(0, 2, 0),
        Self::V0_3_0,
        Self(0, 3, 1),
        Self::V0_4_0,
        Self::V1_0_0,
        Self::V1_1_0,
    ];

    /// Converts a result to this version: before 1.0.0, each of `ips` has the version of its
    /// address.
    pub(super) fn translate(self, result: &mut Value) {
        result["cniVersion"] = json!(self.to_string());
        for ip in result["ips"].as_array_mut().into_iter().flatten() {
            let is_v6 = ip["address"]
                .as_str()
                .is_some_and(|text| text.contains(':'));
            if self < Self::V1_0_0 {
                ip["version"] = json!(if is_v6 { "6" } else { "4" });
            } else if let Some(ip) = ip.as_object_mut() {
                ip.remove("version");
            }
        }
    }
}

impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

impl FromStr for Spec {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts: Result<Vec<u8>, _> = text.split('.').map(str::parse).collect();
        match parts.as_deref() {
            Ok([major, minor, patch]) => Ok(Self(*major, *minor, *patch)),
            _ => Err(format!("{text:?} is no version of the CNI spec")),
        }
    }
}
