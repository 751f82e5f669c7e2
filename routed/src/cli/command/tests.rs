use clap::CommandFactory as _;

use super::super::help::GROUPS;
use super::*;

fn help() -> String {
    Cli::command().render_help().to_string()
}

#[test]
fn help_lists_every_command_once_below_its_heading() {
    let text = help();
    let (list, _) = text.split_once("\nOptions:\n").expect(&text);
    let mut listed = Vec::new();
    let mut titles = Vec::new();
    for line in list.lines().skip_while(|line| *line != "Run:") {
        match line.strip_prefix("  ").and_then(|it| it.split_once(' ')) {
            Some((name, _)) => listed.push(name.to_owned()),
            None => titles.extend(line.strip_suffix(':').map(str::to_owned)),
        }
    }
    let root = Cli::command();
    let declared = root.get_subcommands().map(|it| it.get_name().to_owned());
    assert_eq!(listed, declared.collect::<Vec<_>>(), "{text}");
    assert_eq!(titles, GROUPS.map(|(title, _)| title), "{text}");
    assert!(listed[0] == GROUPS[0].1, "{text}");
}

#[test]
fn command_list_fits_a_terminal_of_80_columns() {
    let text = help();
    let (list, _) = text.split_once("\nExit status:").expect(&text);
    for line in list.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
}

#[test]
fn help_keeps_usage_options_and_what_comes_after() {
    let text = help();
    for part in [
        "Keeps one kernel route per peer subnet",
        "\n\nUsage: routed <COMMAND>\n\nRun:\n  run ",
        "\n\nOptions:\n  -h, --help ",
        "--version",
        "\n\nWhere to begin:\n",
    ] {
        assert!(text.contains(part), "{part:?} in {text}");
    }
}
