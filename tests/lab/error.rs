//! The error of the lab: a message for people. Callers do not distinguish errors.

use std::fmt;

/// Why a step of a lab failed.
#[derive(Clone, PartialEq, Eq)]
pub struct Error(String);

/// The result of a step of a lab.
pub type Result<T = ()> = std::result::Result<T, Error>;

impl Error {
    /// An error with a message.
    pub fn new(what: impl Into<String>) -> Self {
        Self(what.into())
    }

    /// The same error with the failed operation in front of its message.
    #[must_use]
    pub fn doing(self, what: impl fmt::Display) -> Self {
        Self(format!("{what}: {}", self.0))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

// The test harness prints the `Debug` form of a returned error.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}

/// Adds the failed operation to any error.
pub(crate) trait Doing<T> {
    /// The result; an error starts with the operation that failed.
    fn doing(self, what: impl fmt::Display) -> Result<T>;
}

impl<T, E: fmt::Display> Doing<T> for std::result::Result<T, E> {
    fn doing(self, what: impl fmt::Display) -> Result<T> {
        self.map_err(|error| Error(format!("{what}: {error}")))
    }
}
