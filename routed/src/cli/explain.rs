//! `routed explain`: the path from one pod to another, and which link of it is broken. The steps
//! are in `crate::explain`.

use clap::Args;
use serde::Serialize;

use super::{CliOutput, CommandError, NetworkArgs, OutputArgs, block_on, severity_word};
use crate::cli::terminal::{Terminal, Tone};
use crate::doctor::Severity;
use crate::explain::{PathStep, explain};

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

    #[command(flatten)]
    output: OutputArgs,
}

/// What is printed as JSON.
#[derive(Debug, Serialize)]
struct ExplainOutput<'a> {
    from: &'a str,
    to: &'a str,
    broken: Option<&'a PathStep>,
    steps: &'a [PathStep],
}

/// Follows the path between the two pods.
pub(crate) fn run(args: &ExplainArgs) -> Result<CliOutput, CommandError> {
    let conflist = args.network.read()?;
    let pods = [args.from.as_str(), args.to.as_str()];
    let explained = async {
        explain(conflist.ipam(), pods)
            .await
            .map_err(CommandError::usage)
    };
    let steps = block_on(explained)?;
    let broken = steps.iter().find(|step| step.severity == Severity::Broken);
    let output = ExplainOutput {
        from: &args.from,
        to: &args.to,
        broken,
        steps: &steps,
    };
    let text = args
        .output
        .text(&output, |terminal| render(&steps, broken, terminal))?;
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
