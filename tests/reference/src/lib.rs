//! What is generated from the clap types of a daemon and not written by hand: its part of
//! docs/configuration.md, its man pages and its completions. `make docs` writes them; a test of each
//! daemon, which hands its types over, fails where they are outdated.
//!
//! No program has this: only their tests depend on it.

#![allow(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "what fails here fails a test"
)]

mod commands;
mod files;
mod manual;

use clap::Command;
use clap_complete::{Generator, Shell};

pub use files::{File, assert_up_to_date, filled_in};
pub use manual::{CHAPTER, VERSION, path};

/// The page that is written by hand around the generated parts.
pub const CONFIGURATION: &str = "docs/configuration.md";

/// The command line of a program.
#[derive(Debug)]
pub struct CommandLine {
    /// As the program declares it.
    declared: Command,
    /// As the installed program has it.
    built: Command,
}

impl CommandLine {
    /// That of the types from which clap made `declared`.
    pub fn new(declared: Command) -> Self {
        let mut built = declared
            .clone()
            .version(env!("CARGO_PKG_VERSION"))
            .disable_help_subcommand(true);
        built.build();
        Self { declared, built }
    }

    /// The man pages of the program and of its commands, and its completions.
    pub fn files(&self) -> Vec<File> {
        let mut files = manual::pages(&self.built);
        files.extend(self.completions());
        files
    }

    /// A section of Markdown for each command.
    pub fn sections(&self) -> String {
        commands::sections(&self.built)
    }

    fn completions(&self) -> [File; 3] {
        let name = self.declared.get_name();
        [Shell::Bash, Shell::Fish, Shell::Zsh].map(|shell| {
            let mut text = Vec::new();
            clap_complete::generate(shell, &mut self.declared.clone(), name, &mut text);
            let path = format!("conf/completions/{}", shell.file_name(name));
            // In bash, clap_complete 4.6 takes a hyphen of the program's name for the begin of a
            // command where it proposes flags, but not where it looks for the command.
            let text = String::from_utf8(text).unwrap();
            let [taken, meant] = ["__subcmd__", "__"].map(|it| name.replace('-', it));
            (path, text.replace(&taken, &meant))
        })
    }
}
