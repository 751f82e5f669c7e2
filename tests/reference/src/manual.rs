//! Man pages of a program and its commands, by clap.

use clap::Command;
use clap_mangen::Man;

use crate::files::File;

/// System administration commands and daemons (man-pages(7)).
pub const CHAPTER: &str = "8";
/// The package that every page names.
pub const VERSION: &str = concat!("flatland ", env!("CARGO_PKG_VERSION"));

/// The path of the page with this name.
pub fn path(name: &str) -> String {
    format!("docs/man/{name}.{CHAPTER}")
}

/// A page for the program, and one for each command.
pub(crate) fn pages(root: &Command) -> Vec<File> {
    let commands = root.get_subcommands().cloned();
    [root.clone()]
        .into_iter()
        .chain(commands)
        .map(page)
        .collect()
}

fn page(command: Command) -> File {
    let name = command.get_display_name().unwrap_or(command.get_name());
    let name = name.to_owned();
    let mut text = Vec::new();
    Man::new(command)
        .title(name.to_uppercase())
        .section(CHAPTER)
        .source(VERSION)
        .manual("Flatland")
        .render(&mut text)
        .unwrap();
    let text = String::from_utf8(text).unwrap();
    // clap calls everything after the flags EXTRA.
    (path(&name), text.replace(".SH EXTRA", ".SH NOTES"))
}
