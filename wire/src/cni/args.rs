//! The environment variable `CNI_ARGS`.

use super::Error;
use super::error::invalid_environment;

/// `CNI_ARGS`: `KEY=value;KEY=value`. Unknown keys are accepted, as runtimes nearly always set
/// `IgnoreUnknown`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Args(Vec<(String, String)>);

impl Args {
    /// Parses the value of `CNI_ARGS`. A part that is not `KEY=value` is an error (code 4) that
    /// names it; empty parts (`A=1;;B=2;`) are skipped, and a value may contain `=`.
    pub fn parse(text: &str) -> Result<Self, Error> {
        text.split(';')
            .filter(|part| !part.is_empty())
            .map(|part| match part.split_once('=') {
                Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
                _ => Err(invalid_environment(format!(
                    "CNI_ARGS: {part:?} is not KEY=value"
                ))),
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// The value of `key`; the last one if it occurs twice.
    pub fn get(&self, key: &str) -> Option<&str> {
        let pair = self.0.iter().rev().find(|(name, _)| name == key);
        pair.map(|(_, value)| value.as_str())
    }
}

#[cfg(test)]
mod tests;
