//! The command line as Markdown.

use clap::{Arg, Command};

/// A section for each command.
pub(crate) fn sections(root: &Command) -> String {
    let program = root.get_name();
    let sections = root.get_subcommands().map(|command| {
        let about = command.get_long_about().or(command.get_about()).unwrap();
        let examples = command.get_after_help().unwrap().to_string();
        let (title, examples) = examples.split_once('\n').unwrap();
        format!(
            "### {program} {}\n\n{about}\n\n{}{title}\n\n```console\n{}\n```\n",
            command.get_name(),
            flags(command),
            examples
                .lines()
                .map(|line| format!("# {}", line.trim_start()))
                .collect::<Vec<_>>()
                .join("\n")
        )
    });
    let text = sections.collect::<Vec<_>>().join("\n");
    format!("\n{text}\n")
}

/// A row for each argument and flag; empty if there are none.
fn flags(command: &Command) -> String {
    let rows = command
        .get_arguments()
        .filter(|argument| !matches!(argument.get_id().as_str(), "help" | "version"))
        .map(row);
    let rows: String = rows.collect();
    if rows.is_empty() {
        return rows;
    }
    format!("| flag | environment | default | meaning |\n| --- | --- | --- | --- |\n{rows}\n")
}

fn row(argument: &Arg) -> String {
    let environment = argument.get_env().map(|name| name.to_string_lossy());
    let environment = environment.map(|name| format!("`{name}`"));
    let takes_value = argument.get_action().takes_values();
    let defaults = argument.get_default_values().iter();
    let mut defaults = defaults.filter(|_| takes_value);
    let default = match (defaults.next(), argument.is_required_set()) {
        (Some(value), _) => format!("`{}`", value.to_string_lossy()),
        (None, true) => "required".to_owned(),
        (None, false) => String::new(),
    };
    let values = argument.get_possible_values();
    let choice = values.iter().filter_map(|value| {
        let help = value.get_help().filter(|_| takes_value)?;
        Some(format!("`{}`: {help}", value.get_name()))
    });
    let help = argument.get_long_help().or(argument.get_help()).unwrap();
    let meaning: Vec<_> = [help.to_string()].into_iter().chain(choice).collect();
    format!(
        "| `{}` | {} | {default} | {} |\n",
        cell(&name(argument)),
        environment.unwrap_or_default(),
        cell(&meaning.join(". "))
    )
}

/// `-o, --output OUTPUT`, nearly as the program's own help writes it.
fn name(argument: &Arg) -> String {
    let short = argument.get_short().map(|short| format!("-{short}, "));
    let long = argument.get_long().map(|long| format!("--{long}"));
    let takes_value = argument.get_action().takes_values();
    let value = argument.get_value_names().filter(|_| takes_value);
    let value = value.map(|names| names[0].to_string());
    let parts = [long, value].into_iter().flatten();
    short.unwrap_or_default() + &parts.collect::<Vec<_>>().join(" ")
}

/// The text on one line, with bars escaped: a bar would end the cell of a table.
fn cell(text: &str) -> String {
    let words: Vec<_> = text.split_whitespace().collect();
    words.join(" ").replace('|', "\\|")
}
