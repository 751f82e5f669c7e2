//! What is generated from the types and not written by hand: parts of docs/configuration.md, man
//! pages and completions. `make docs` writes them; the test here fails where they are outdated.
//!
//! None of this is compiled into the programs.

mod commands;
mod conflist;
mod manual;

use std::fs;
use std::path::Path;

use clap::CommandFactory;
use clap_complete::{Generator, Shell};

use super::command::Cli;
use conflist::ConflistSection;
use manual::File;

/// The page that is written by hand around the generated parts.
const CONFIGURATION: &str = "docs/configuration.md";

/// With this in the environment the files are written instead of compared.
const WRITE: &str = "FLATLAND_WRITE_DOCS";

/// What stands between this line and [`END`] is generated; a name behind it says what it is.
const BEGIN: &str = "<!-- made by make docs: ";
const END: &str = "<!-- end of what make docs made -->";

#[test]
fn generated_pages_from_types_are_up_to_date() {
    let sections = conflist::sections();
    let mut files = manual::pages(&sections);
    files.extend(completions());
    files.push((
        CONFIGURATION.to_owned(),
        filled_in(CONFIGURATION, &sections),
    ));
    let mut outdated: Vec<_> = files.iter().filter_map(write_or_compare).collect();
    outdated.extend(unexpected(&files));
    assert!(
        outdated.is_empty(),
        "outdated: {}; run make docs, and commit what it changes",
        outdated.join(", ")
    );
}

/// Writes the file, or returns its path if its content is outdated.
fn write_or_compare((path, text): &File) -> Option<String> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    if fs::read_to_string(&file).ok().as_ref() == Some(text) {
        return None;
    }
    if std::env::var_os(WRITE).is_none() {
        return Some(path.clone());
    }
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, text).unwrap();
    None
}

/// Files in the generated folders that are not generated (any more), such as the page of a command
/// that was removed.
fn unexpected(files: &[File]) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut unexpected = Vec::new();
    for folder in ["docs/man", "conf/completions"] {
        for entry in fs::read_dir(root.join(folder)).unwrap() {
            let name = entry.unwrap().file_name();
            let path = format!("{folder}/{}", name.to_str().unwrap());
            if files.iter().all(|(made, _)| *made != path) {
                unexpected.push(format!("{path} (remove it)"));
            }
        }
    }
    unexpected
}

/// The page with its generated parts replaced by what the types say now.
fn filled_in(path: &str, sections: &[ConflistSection]) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    let page = fs::read_to_string(&file).unwrap();
    let mut parts = page.split(BEGIN);
    let first = parts.next().unwrap().to_owned();
    let filled = parts.map(|part| {
        let (name, rest) = part.split_once(" -->\n").unwrap();
        let (_, after) = rest.split_once(END).unwrap();
        let made = made(name, sections);
        format!("{BEGIN}{name} -->\n{made}{END}{after}")
    });
    first + &filled.collect::<String>()
}

fn made(name: &str, sections: &[ConflistSection]) -> String {
    let section = |name: &str| sections.iter().find(|section| section.name == name);
    match name.split_once(' ') {
        Some((of, "in full")) => list(section(of).unwrap()),
        Some(("routed", "commands")) => commands::all(),
        _ => panic!("no generated part is called {name:?}"),
    }
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

fn completions() -> Vec<File> {
    [Shell::Bash, Shell::Fish, Shell::Zsh]
        .map(|shell| {
            let mut text = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "routed", &mut text);
            let path = format!("conf/completions/{}", shell.file_name("routed"));
            (path, String::from_utf8(text).unwrap())
        })
        .into()
}
