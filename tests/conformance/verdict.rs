//! The verdict on a plugin by one row.

use crate::Error;

/// The verdict on a plugin by one requirement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowVerdict {
    /// The plugin meets it.
    Pass,
    /// The plugin does not meet it; what was sent and what came back.
    Fail(String),
    /// The requirement does not apply; why.
    NotApplicable(String),
}

/// Why a check ends without a pass.
#[derive(Debug)]
pub(super) enum Reason {
    /// The plugin fails the requirement.
    Fail(String),
    /// The requirement does not apply.
    NotApplicable(String),
    /// An error of the suite: there is no verdict.
    Broken(Error),
}

/// The result of a check or of a step of one.
pub(super) type Judged<T = ()> = Result<T, Reason>;

impl From<Error> for Reason {
    fn from(error: Error) -> Self {
        Self::Broken(error)
    }
}

/// A failure with its reason.
pub(super) fn fail<T>(why: impl Into<String>) -> Judged<T> {
    Err(Reason::Fail(why.into()))
}

/// Not applicable, with the reason.
pub(super) fn skip<T>(why: impl Into<String>) -> Judged<T> {
    Err(Reason::NotApplicable(why.into()))
}

/// Fails with `why` unless `holds`.
pub(super) fn ensure(holds: bool, why: impl FnOnce() -> String) -> Judged {
    if holds { Ok(()) } else { fail(why()) }
}
