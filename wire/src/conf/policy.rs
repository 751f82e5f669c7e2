//! The `policy` section of `flatland`: NetworkPolicies are enforced.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde_json::Value;

use super::duration;
use super::section::Section;
use crate::cni::Error;

/// The range of `failOpenAfter`: 0 would open pods before there is any time to decide, and a pod
/// that waits for a day waits for an operator.
const FAIL_OPEN_AFTER_RANGE: RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_secs(86_400);

/// NetworkPolicies are enforced: the `policy` section of `flatland`, which may be empty.
///
/// The comments of the fields are also the descriptions of the keys in docs/configuration.md.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyConfig {
    /// How long a new pod stays closed while `flatland-policy` cannot decide about it, because it
    /// has not seen the Pod in the API server. After this time the pod is open until it is decided.
    /// By default it stays closed.
    ///
    /// While `flatland-policy` does not run, new pods stay closed without a limit.
    pub fail_open_after: Option<Duration>,
}

impl PolicyConfig {
    /// The keys of the section.
    pub const KEYS: &[&str] = &["failOpenAfter"];

    pub(super) fn parse(value: &Value) -> Result<Self, Error> {
        let section = Section::new("policy", value)?;
        section.refuse_unknown(Self::KEYS)?;
        let expected = "a time from \"1s\" to \"1d\", such as \"30s\", or a number of seconds";
        let fail_open_after = section.optional("failOpenAfter", expected, |value| {
            duration::read(value).filter(|time| FAIL_OPEN_AFTER_RANGE.contains(time))
        })?;
        Ok(Self { fail_open_after })
    }
}

#[cfg(test)]
mod tests;
