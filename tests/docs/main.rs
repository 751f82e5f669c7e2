//! The documentation is true: links, commands and files exist, every message is explained, and man
//! pages and completions work. Names in the source follow the rules of CONTRIBUTING.md.

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic too")]

mod alerts;
mod commands;
mod completions;
mod examples;
mod files;
mod helm;
mod house;
mod imports;
mod links;
mod manual;
mod messages;
mod prose;
mod release;
mod reliability;
mod source;
mod type_names;

use std::path::{Path, PathBuf};

/// A file of the repository.
fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}
