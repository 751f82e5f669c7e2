//! Its part of docs/configuration.md, its man pages and its completions, made from the types.

use clap::CommandFactory;
use reference::{CONFIGURATION, CommandLine, assert_up_to_date, filled_in};

use super::Cli;

#[test]
fn generated_pages_from_types_are_up_to_date() {
    let command_line = CommandLine::new(Cli::command());
    let mut files = command_line.files();
    files.push(filled_in(CONFIGURATION, |part| {
        (part == "flatland-policy commands").then(|| command_line.sections())
    }));
    assert_up_to_date(&files, |name| name.contains("flatland-policy"));
}
