//! A section of the configuration: typed access to its keys, and errors for unknown ones.

use std::path::PathBuf;

use serde_json::{Map, Value};

use super::invalid;
use crate::cni::{Error, code};

/// A JSON object of the configuration, and its path of keys.
pub(super) struct Section<'a> {
    path: &'static str,
    fields: &'a Map<String, Value>,
}

impl<'a> Section<'a> {
    /// `path` is empty for the plugin's entry itself; two levels down it is for example
    /// `ipam.etcd`.
    pub(super) fn new(path: &'static str, value: &'a Value) -> Result<Self, Error> {
        match value {
            Value::Object(fields) => Ok(Self { path, fields }),
            _ if path.is_empty() => Err(invalid("the configuration is not a JSON object")),
            _ => Err(invalid(format!("{path} is not a JSON object"))),
        }
    }

    /// Refuses a key that is not `known`, and suggests the nearest known one.
    pub(super) fn refuse_unknown(&self, known: &[&str]) -> Result<(), Error> {
        let unknown = |key: &&String| !known.contains(&key.as_str());
        let Some(key) = self.fields.keys().find(unknown) else {
            return Ok(());
        };
        let msg = format!("unknown key {}: {}", self.name(key), self.fields[key]);
        let advice = match nearest(key, known) {
            Some(known) => format!("did you mean {known:?}?"),
            None => "remove it, or use a key that this version knows".to_owned(),
        };
        Err(Error::new(code::UNSUPPORTED_FIELD, msg).advise(advice))
    }

    /// The key with its path, for messages.
    pub(super) fn name(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.path)
        }
    }

    /// The value as it is. `null` does not count as absent: it comes from a broken template. See
    /// [`Section::collection`] for lists and objects.
    pub(super) fn get(&self, key: &str) -> Option<&'a Value> {
        self.fields.get(key)
    }

    /// The value of a list or an object that may be empty. `null` counts as absent: programs in Go
    /// write empty ones so, and pass on what they have read.
    pub(super) fn collection(&self, key: &str) -> Option<&'a Value> {
        self.get(key).filter(|value| !value.is_null())
    }

    /// Reads an optional value; the error says that it is not `expected`.
    pub(super) fn optional<T>(
        &self,
        key: &str,
        expected: &str,
        read: impl Fn(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, Error> {
        self.get(key)
            .map(|value| read(value).ok_or_else(|| self.wrong(key, value, expected)))
            .transpose()
    }

    /// Reads a list, empty if the key is absent or `null`; the error names the wrong item.
    pub(super) fn list<T>(
        &self,
        key: &str,
        expected: &str,
        read: impl Fn(&'a Value) -> Option<T>,
    ) -> Result<Vec<T>, Error> {
        let read = |item| read(item).ok_or_else(|| self.wrong(key, item, expected));
        match self.collection(key) {
            None => Ok(Vec::new()),
            Some(Value::Array(items)) => items.iter().map(read).collect(),
            Some(other) => Err(self.wrong(key, other, "a list")),
        }
    }

    pub(super) fn string(&self, key: &str) -> Result<Option<String>, Error> {
        self.optional(key, "a string", |value| value.as_str().map(str::to_owned))
    }

    /// A file, by absolute path: runtimes and `routed` have different working directories.
    pub(super) fn file(&self, key: &str) -> Result<Option<PathBuf>, Error> {
        self.optional(key, "an absolute path", |value| {
            value
                .as_str()
                .map(PathBuf::from)
                .filter(|path| path.is_absolute())
        })
    }

    pub(super) fn wrong(&self, key: &str, found: &Value, expected: &str) -> Error {
        invalid(format!("{}: {found} is not {expected}", self.name(key)))
    }

    /// The error for a missing required key.
    pub(super) fn missing(&self, key: &str) -> Error {
        let place = if self.path.is_empty() {
            "the plugin's entry"
        } else {
            self.path
        };
        invalid(format!("{key} is missing in {place}"))
    }
}

/// The nearest known key, if it is within two typing errors.
fn nearest<'k>(key: &str, known: &[&'k str]) -> Option<&'k str> {
    let ranked = known
        .iter()
        .map(|candidate| (distance(key, candidate), *candidate));
    let (errors, candidate) = ranked.min()?;
    (errors <= 2 && errors < candidate.len()).then_some(candidate)
}

/// The Levenshtein distance, ignoring case.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.to_lowercase().chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (line, letter) in one.to_lowercase().chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = line + 1;
        for (column, candidate) in other.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != *candidate);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests;
