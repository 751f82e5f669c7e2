//! What is written from the types and not by hand: docs/configuration.md, tables of README.md,
//! man pages and completions. `make docs` writes them; the test here finds them outdated.
//!
//! Nothing of it is in the programs.

mod commands;
mod conflist;
mod manual;
mod markdown;

use std::fs;
use std::path::Path;

use clap::CommandFactory;
use clap_complete::{Generator, Shell};

use super::command::Cli;
use conflist::Section;

/// With this in the environment the files are written instead of compared.
const WRITE: &str = "FLATLAND_WRITE_DOCS";

/// A file below the repository's root, and all that is to be in it.
type File = (String, String);

/// What follows this line up to [`END`] is made here: the name says what.
const BEGIN: &str = "<!-- made by make docs: ";
const END: &str = "<!-- end of what make docs made -->";

#[test]
fn what_is_written_from_the_types_is_what_the_types_say() {
    let sections = conflist::sections();
    let mut files = manual::pages(&sections);
    files.extend(completions());
    for page in ["README.md", "docs/configuration.md"] {
        files.push((page.to_owned(), filled_in(page, &sections)));
    }
    let mut outdated: Vec<_> = files.iter().filter_map(settle).collect();
    outdated.extend(strangers(&files));
    assert!(
        outdated.is_empty(),
        "not as the types say: {}; run make docs, and commit what it changes",
        outdated.join(", ")
    );
}

/// Writes the file, or says that it is not as it should be.
fn settle((path, text): &File) -> Option<String> {
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

/// What lies among the made files and is none of them: the page of a command that is gone.
fn strangers(files: &[File]) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut strangers = Vec::new();
    for folder in ["docs/man", "conf/completions"] {
        for entry in fs::read_dir(root.join(folder)).unwrap() {
            let name = entry.unwrap().file_name();
            let path = format!("{folder}/{}", name.to_str().unwrap());
            if files.iter().all(|(made, _)| *made != path) {
                strangers.push(format!("{path} (remove it)"));
            }
        }
    }
    strangers
}

/// The page with its made parts made anew.
fn filled_in(path: &str, sections: &[Section]) -> String {
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

fn made(name: &str, sections: &[Section]) -> String {
    let section = |name: &str| sections.iter().find(|section| section.name == name);
    match name.split_once(' ') {
        Some((of, "in short")) => markdown::table(section(of).unwrap()),
        Some((of, "in full")) => markdown::list(section(of).unwrap()),
        Some(("routed", "flags of run")) => commands::flags(&commands::command("run")),
        Some(("routed", "commands")) => commands::all(),
        _ => panic!("nobody makes {name:?}"),
    }
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
