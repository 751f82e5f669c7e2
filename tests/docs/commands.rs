//! The commands that pages name exist, with the flags that the pages give them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use crate::file;
use crate::links::pages;

#[test]
fn commands_of_daemons_in_pages_exist_with_their_flags() {
    let known = commands("routed");
    assert!(known["forget"].contains("--force"));
    assert!(check("routed", &known) > 8);
    let known = commands("flatland-policy");
    assert!(known["explain"].contains("--port"));
    assert!(check("flatland-policy", &known) > 2);
}

/// How many of the known commands of a program are in the pages.
fn check(program: &str, known: &BTreeMap<String, BTreeSet<String>>) -> usize {
    let mut wrong = Vec::new();
    let mut named = BTreeSet::new();
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        for line in code(&text) {
            let Some(command) = called(&line, &format!("{program} ")) else {
                continue;
            };
            let words: Vec<_> = command.split_whitespace().collect();
            // `routed --version` has no command.
            let name = words[0].trim_end_matches(['.', ',', ';']);
            if name == "--version" {
                continue;
            }
            // Messages that begin with the program's name.
            if matches!(name, "does" | "cannot" | "has" | "is" | "runs" | "…") {
                continue;
            }
            named.insert(name.to_owned());
            let flags = words.iter().filter(|word| word.starts_with("--"));
            let mut flags = flags.map(|flag| flag.split('=').next().unwrap());
            let is_there = known
                .get(name)
                .is_some_and(|known| flags.all(|flag| known.contains(flag)));
            if !is_there {
                wrong.push(format!("{}: {line}", page.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    named.len()
}

#[test]
fn make_targets_in_pages_exist() {
    let makefile = fs::read_to_string(file("Makefile")).unwrap();
    let documented = makefile.lines().filter_map(|line| line.strip_prefix("## "));
    let targets: BTreeSet<_> = documented
        .filter_map(|line| Some(line.split_once(':')?.0))
        .collect();
    for page in pages() {
        for line in code(&fs::read_to_string(&page).unwrap()) {
            let Some(command) = called(&line, "make ") else {
                continue;
            };
            let target = command.split_whitespace().next().unwrap();
            assert!(targets.contains(target), "{}: {line}", page.display());
        }
    }
}

/// What follows the program's name, where the line calls it, on a node or in its pod
/// (`kubectl exec ... -- routed status`).
fn called<'a>(line: &'a str, program: &str) -> Option<&'a str> {
    let line = line.trim_start_matches(['#', '$', ' ']);
    let command = line.split(['|', '#', '&']).next().unwrap();
    let command = match command.split_once(" -- ") {
        Some((kubectl, command)) if kubectl.starts_with("kubectl ") => command,
        _ => command,
    };
    command
        .strip_prefix(program)
        .filter(|rest| !rest.trim().is_empty())
}

/// The command lines of console examples, and the code spans of the text.
pub(crate) fn code(text: &str) -> Vec<String> {
    let mut code = Vec::new();
    for (position, part) in text.split("```").enumerate() {
        if position % 2 == 0 {
            let spans = part.split('`').skip(1).step_by(2);
            code.extend(spans.map(|span| span.replace('\n', " ")));
        } else if let Some(lines) = part.strip_prefix("console\n") {
            let prompts = lines
                .lines()
                .filter(|line| line.trim().starts_with(['#', '$']));
            code.extend(prompts.map(str::to_owned));
        }
    }
    code
}

/// The commands and their flags, from the page that is generated from the program.
fn commands(program: &str) -> BTreeMap<String, BTreeSet<String>> {
    let page = fs::read_to_string(file("docs/configuration.md")).unwrap();
    let sections = page.split("\n### ").skip(1);
    let of_program = sections.filter_map(|it| it.strip_prefix(program)?.strip_prefix(' '));
    of_program
        .map(|section| {
            let (name, rest) = section.split_once('\n').unwrap();
            let rows = rest.lines().filter_map(|line| line.strip_prefix("| `"));
            let cells = rows.filter_map(|row| row.split('`').next());
            let flags = cells.flat_map(str::split_whitespace).map(str::to_owned);
            (name.to_owned(), flags.collect())
        })
        .collect()
}
