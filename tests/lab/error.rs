//! What can go wrong with a lab: told to a person, told apart by nobody.

use std::fmt;

/// Why a step of a lab failed.
#[derive(Clone, PartialEq, Eq)]
pub struct Error(String);

/// The outcome of a step of a lab.
pub type Result<T = ()> = std::result::Result<T, Error>;

impl Error {
    /// An error in words.
    pub fn new(what: impl Into<String>) -> Self {
        Self(what.into())
    }

    /// The same error, saying first what was being done.
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

// What the test harness prints of a test that returned it.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}

/// Adds what was being done to any error.
pub(crate) trait Doing<T> {
    /// The outcome, the error saying first what was being done.
    fn doing(self, what: impl fmt::Display) -> Result<T>;
}

impl<T, E: fmt::Display> Doing<T> for std::result::Result<T, E> {
    fn doing(self, what: impl fmt::Display) -> Result<T> {
        self.map_err(|error| Error(format!("{what}: {error}")))
    }
}
