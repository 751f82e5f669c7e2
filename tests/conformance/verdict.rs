//! What comes of a row.

use crate::Error;

/// What comes of judging a plugin by one requirement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It does what is required.
    Pass,
    /// It does not; what was sent and what came back.
    Fail(String),
    /// The requirement does not concern it; why.
    NotApplicable(String),
}

/// Why a check does not end in a pass.
#[derive(Debug)]
pub(super) enum Reason {
    /// The plugin is at fault.
    Fail(String),
    /// The requirement does not concern it.
    NotApplicable(String),
    /// The suite's own machinery failed: no verdict.
    Broken(Error),
}

/// The outcome of a check or of a step of one.
pub(super) type Judged<T = ()> = Result<T, Reason>;

impl From<Error> for Reason {
    fn from(error: Error) -> Self {
        Self::Broken(error)
    }
}

/// A failure in words.
pub(super) fn fail<T>(why: impl Into<String>) -> Judged<T> {
    Err(Reason::Fail(why.into()))
}

/// Not applicable, and why.
pub(super) fn skip<T>(why: impl Into<String>) -> Judged<T> {
    Err(Reason::NotApplicable(why.into()))
}

/// Fails with `why` unless `holds`.
pub(super) fn ensure(holds: bool, why: impl FnOnce() -> String) -> Judged {
    if holds { Ok(()) } else { fail(why()) }
}
