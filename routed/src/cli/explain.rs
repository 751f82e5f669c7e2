//! `routed explain`: the path from one pod to another, and which link of it is broken. The steps
//! are in `crate::explain`.

use clap::Args;
use serde::Serialize;

use super::{CliOutput, CommandError, Format, NetworkArgs, block_on, json, severity_word};
use crate::cli::terminal::{Terminal, Tone};
use crate::doctor::Severity;
use crate::explain::{ExplainError, PathStep, explain};

/// The flags of `routed explain`.
#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// A pod: its address; for a pod on this node also NAMESPACE/NAME or the container id.
    #[arg(value_name = "POD-A")]
    from: String,

    /// The other pod.
    #[arg(value_name = "POD-B")]
    to: String,

    #[command(flatten)]
    network: NetworkArgs,

    /// How it is printed.
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    output: Format,
}

/// What is printed as JSON.
#[derive(Debug, Serialize)]
struct ExplainOutput<'a> {
    from: &'a str,
    to: &'a str,
    broken: Option<&'a PathStep>,
    steps: &'a [PathStep],
}

impl From<ExplainError> for CommandError {
    fn from(error: ExplainError) -> Self {
        Self::usage(error.to_string())
    }
}

/// Follows the path between the two pods.
pub(crate) fn run(args: &ExplainArgs) -> Result<CliOutput, CommandError> {
    let conflist = args.network.read()?;
    let pods = [args.from.as_str(), args.to.as_str()];
    let steps = block_on(async { Ok(explain(conflist.ipam(), pods).await?) })?;
    let broken = steps.iter().find(|step| step.severity == Severity::Broken);
    let text = match args.output {
        Format::Table => render(&steps, broken, Terminal::of_stdout()),
        Format::Json => json(&ExplainOutput {
            from: &args.from,
            to: &args.to,
            broken,
            steps: &steps,
        })?,
    };
    let status = u8::from(broken.is_some());
    Ok(CliOutput { text, status })
}

fn render(steps: &[PathStep], broken: Option<&PathStep>, terminal: Terminal) -> String {
    let mut lines: Vec<String> = Vec::new();
    let mut of = "";
    for step in steps {
        if step.of != of {
            of = &step.of;
            lines.push(of.to_owned());
        }
        let word = severity_word(step.severity, terminal);
        lines.push(format!("  {word}  {}: {}", step.link, step.evidence));
        lines.extend(step.fix.as_ref().map(|fix| format!("{:11}{fix}", "")));
    }
    lines.push(String::new());
    lines.push(match broken {
        Some(step) => {
            let text = format!("broken: {} of {}", step.link, step.of);
            terminal.paint(&text, Tone::Bad)
        }
        None => "nothing is broken, as far as this node can see".to_owned(),
    });
    lines.join("\n")
}

#[cfg(test)]
mod tests;
