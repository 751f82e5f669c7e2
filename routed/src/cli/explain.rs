//! `routed explain`: the way from one pod to another, and which link of it is broken.

use clap::Args;
use serde::Serialize;

use super::{CommandError, Format, Network, Report, json, wait};
use crate::cli::terminal::{Terminal, Tone};
use crate::doctor::Severity;
use crate::explain::{PathStep, Unusable, collect, walk};

/// The flags of `routed explain`.
#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// A pod: its address, or where it is on this node NAMESPACE/NAME or the container's id.
    #[arg(value_name = "POD-A")]
    from: String,

    /// The other pod.
    #[arg(value_name = "POD-B")]
    to: String,

    #[command(flatten)]
    network: Network,

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

impl From<Unusable> for CommandError {
    fn from(why: Unusable) -> Self {
        Self::usage(why.to_string())
    }
}

/// Walks the way.
pub(crate) fn run(args: &ExplainArgs) -> Result<Report, CommandError> {
    let conflist = args.network.read()?;
    let pods = [args.from.as_str(), args.to.as_str()];
    let facts = wait(async { Ok(collect(conflist.ipam(), pods).await?) })?;
    let steps = walk(&facts);
    let broken = steps.iter().find(|step| step.verdict == Severity::Broken);
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
    Ok(Report { text, status })
}

fn render(steps: &[PathStep], broken: Option<&PathStep>, screen: Terminal) -> String {
    let mut lines: Vec<String> = Vec::new();
    let mut of = "";
    for step in steps {
        if step.of != of {
            of = &step.of;
            lines.push(of.to_owned());
        }
        let (word, tone) = match step.verdict {
            Severity::Ok => ("ok", Tone::Good),
            Severity::Broken => ("broken", Tone::Bad),
            Severity::Warning | Severity::Unknown => ("unknown", Tone::Doubtful),
        };
        let word = screen.paint(&format!("{word:<7}"), tone);
        lines.push(format!("  {word}  {}: {}", step.link, step.evidence));
        lines.extend(step.fix.as_ref().map(|fix| format!("{:11}{fix}", "")));
    }
    lines.push(String::new());
    lines.push(match broken {
        Some(step) => {
            let text = format!("broken: {} of {}", step.link, step.of);
            screen.paint(&text, Tone::Bad)
        }
        None => "nothing is broken, as far as this node can see".to_owned(),
    });
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(of: &str, link: &'static str, verdict: Severity, fix: Option<&str>) -> PathStep {
        PathStep {
            of: of.into(),
            link,
            verdict,
            evidence: "as seen".into(),
            fix: fix.map(Into::into),
        }
    }

    #[test]
    fn the_way_is_shown_link_by_link_and_the_broken_one_is_named() {
        let steps = [
            step("default/a", "address", Severity::Ok, None),
            step("10.244.9.2", "route", Severity::Broken, Some("mend it")),
        ];
        let expected = "\
default/a
  ok       address: as seen
10.244.9.2
  broken   route: as seen
           mend it

broken: route of 10.244.9.2";
        assert_eq!(render(&steps, Some(&steps[1]), Terminal::PIPE), expected);
        let text = render(&steps[..1], None, Terminal::PIPE);
        assert!(text.ends_with("\n\nnothing is broken, as far as this node can see"));
    }
}
