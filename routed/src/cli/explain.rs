//! `routed explain`: the path from one pod to another, and which link of it is broken. The steps
//! are in `crate::explain`.

use clap::Args;
use daemonkit::FLATLAND_POLICY;
use daemonkit::http::client;
use serde::Serialize;
use wire::policy_query::{ExplainedPort, PolicyAnswer, explain_page};

use super::{CliOutput, CommandError, NetworkArgs, OutputArgs, block_on, severity_word};
use crate::cli::terminal::{Terminal, Tone};
use crate::doctor::Severity;
use crate::explain::{HeldAddresses, PathStep, explain};

/// What is printed where there are network policies and no port was given.
const HOW_TO_ASK: &str =
    "\nnetwork policies may still deny it: add --port PORT/PROTOCOL, such as --port 5432/tcp";

/// The flags of `routed explain`.
#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// A pod: its address; for a pod on this node also NAMESPACE/NAME or the container id.
    #[arg(value_name = "POD-A")]
    from: String,

    /// The other pod.
    #[arg(value_name = "POD-B")]
    to: String,

    /// Also whether the network policies allow a connection to this port of the other pod.
    ///
    /// It asks flatland-policy, which knows pods on other nodes by NAMESPACE/NAME, too.
    #[arg(long, value_name = "PORT/PROTOCOL")]
    port: Option<ExplainedPort>,

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
    /// What the network policies say, if they were asked, or why that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    policies: Option<&'a Result<PolicyAnswer, String>>,
}

/// Follows the path between the two pods.
pub(crate) fn run(args: &ExplainArgs) -> Result<CliOutput, CommandError> {
    let conflist = args.network.read()?;
    let held = HeldAddresses::read(conflist.network())?;
    let policies = args.port.map(|port| ask_policies(args, &held, port));
    let policies = policies.transpose()?;
    let pods = on_path([&args.from, &args.to], &held, policies.as_ref());
    let explained = async {
        explain(conflist.ipam(), &held, pods.each_ref().map(String::as_str))
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
        policies: policies.as_ref(),
    };
    let text = args.output.text(&output, |terminal| {
        let path = render(&steps, broken, terminal);
        let policies = policies.as_ref().map(|it| render_policies(it, terminal));
        let hint = conflist
            .plugin()
            .policy
            .as_ref()
            .map(|_| HOW_TO_ASK.to_owned());
        path + &policies.or(hint).unwrap_or_default()
    })?;
    let is_denied = policies.is_some_and(|it| it.is_ok_and(|it| !it.is_allowed));
    let status = u8::from(broken.is_some() || is_denied);
    Ok(CliOutput { text, status })
}

/// What `flatland-policy` of this node says, or why it does not: the path is shown all the same.
fn ask_policies(
    args: &ExplainArgs,
    held: &HeldAddresses,
    port: ExplainedPort,
) -> Result<Result<PolicyAnswer, String>, CommandError> {
    let known = |pod| held.for_policies(pod).map_err(CommandError::usage);
    let (from, to) = (known(&args.from)?, known(&args.to)?);
    let page = explain_page(&from, &to, port).map_err(CommandError::usage)?;
    block_on(async {
        let answer = client::get(FLATLAND_POLICY, &page).await;
        Ok(answer.map_err(|error| error.to_string()))
    })
}

/// The pods as they were given, but by their addresses where only flatland-policy knows their names:
/// those of other nodes.
fn on_path(
    pods: [&String; 2],
    held: &HeldAddresses,
    policies: Option<&Result<PolicyAnswer, String>>,
) -> [String; 2] {
    let known = policies.and_then(|it| it.as_ref().ok());
    let known = known.map(|it| [it.source, it.destination]);
    [0, 1].map(|end| match known {
        Some(known) if held.of_pod(pods[end]).is_err() => known[end].to_string(),
        _ => pods[end].clone(),
    })
}

fn render_policies(answer: &Result<PolicyAnswer, String>, terminal: Terminal) -> String {
    let answer = match answer {
        Ok(answer) => answer,
        Err(why) => return format!("\n\nwhat the network policies say is not known: {why}"),
    };
    let verdict = if answer.is_allowed {
        "allowed by the network policies".to_owned()
    } else {
        terminal.paint("denied by the network policies", Tone::Bad)
    };
    format!("\n\npolicies\n  {}\n\n{verdict}", answer.lines.join("\n  "))
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
