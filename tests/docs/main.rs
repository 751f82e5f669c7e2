//! What is written for people is true: links lead somewhere, every message is explained, and man
//! pages and completions work.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests, which may be outside of the test functions"
)]

mod commands;
mod completions;
mod links;
mod manual;
mod messages;
mod source;

use std::path::{Path, PathBuf};

/// A file of the repository.
fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}
