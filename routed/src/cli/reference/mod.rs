//! What is generated from the types and not written by hand: parts of docs/configuration.md, man
//! pages and completions. `make docs` writes them; the test here fails where they are outdated. Those
//! of `flatland-policy` have a test in its own crate.
//!
//! None of this is compiled into the programs.

mod conflist;
mod manual;

use clap::CommandFactory;
use reference::{CONFIGURATION, CommandLine, assert_up_to_date, filled_in};

use super::command::Cli;
use conflist::ConflistSection;

#[test]
fn generated_pages_from_types_are_up_to_date() {
    let command_line = CommandLine::new(Cli::command());
    let sections = conflist::sections();
    let mut files = command_line.files();
    files.extend(manual::of_plugins(&sections));
    files.push(filled_in(CONFIGURATION, |part| {
        match part.split_once(' ') {
            Some(("flatland-policy", _)) => None,
            Some(("routed", "commands")) => Some(command_line.sections()),
            Some((of, "in full")) => Some(list(section(&sections, of))),
            _ => panic!("no generated part is called {part:?}"),
        }
    }));
    assert_up_to_date(&files, |name| !name.contains("flatland-policy"));
}

fn section<'a>(sections: &'a [ConflistSection], name: &str) -> &'a ConflistSection {
    let mut named = sections.iter().filter(|section| section.name == name);
    named.next().unwrap()
}

/// A heading for each key, with its meaning, its default and its values below.
fn list(section: &ConflistSection) -> String {
    let keys = section.keys.iter().map(|key| {
        let meaning = key.meaning.join("\n\n");
        format!("#### {}\n\n{meaning}\n\n{}\n", key.name, key.range())
    });
    let text = keys.collect::<Vec<_>>().join("\n");
    format!("\n{text}\n")
}
