//! `routed --help`: the commands in groups. clap by itself lists all of them in one block.

use std::fmt::Write as _;

use clap::{Command, Subcommand};

/// The headings, each with the first command below it. A new command belongs to the group in which
/// it is declared.
pub(super) const GROUPS: [(&str, &str); 4] = [
    ("Run", "run"),
    ("Look", "status"),
    ("Repair", "doctor"),
    ("Install", "install"),
];

/// clap's own template, with the groups in place of `{all-args}`'s list of commands.
pub(super) fn template<Commands: Subcommand>() -> String {
    let commands = Commands::augment_subcommands(Command::new("routed"));
    format!(
        "{{before-help}}{{about-with-newline}}\n{{usage-heading}} {{usage}}\n{}\n{}\n{{options}}{{after-help}}",
        groups(&commands),
        heading(&commands, "Options")
    )
}

fn groups(root: &Command) -> String {
    let width = root.get_subcommands().map(|it| it.get_name().len()).max();
    let width = width.unwrap_or_default();
    let literal = root.get_styles().get_literal();
    let mut text = String::new();
    for command in root.get_subcommands() {
        let name = command.get_name();
        if let Some((title, _)) = GROUPS.iter().find(|(_, first)| *first == name) {
            write!(text, "\n{}\n", heading(root, title)).expect("a string takes any text");
        }
        let about = command.get_about().cloned().unwrap_or_default();
        writeln!(text, "  {literal}{name:<width$}{literal:#}  {about}")
            .expect("a string takes any text");
    }
    text
}

fn heading(root: &Command, title: &str) -> String {
    let style = root.get_styles().get_header();
    format!("{style}{title}:{style:#}")
}
