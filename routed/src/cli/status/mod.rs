//! `routed status`: does this node work, and if not, why?

mod lines;
mod offline;

use clap::Args;
use daemonkit::http::client;
use serde::Serialize;

use self::lines::{append, or_none, pods};
use self::offline::Offline;
use crate::cli::terminal::{Terminal, Tone};
use crate::cli::{
    CliOutput, CommandError, NOT_RUNNING, NetworkArgs, OutputArgs, query_daemon, query_readiness,
};
use crate::status::Status;
use crate::text::list;
use crate::time;
use wire::clock::unix_seconds;

/// The flags of `routed status`.
#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    network: NetworkArgs,

    /// Only whether this node can serve pods, and if not, what is missing: for probes.
    #[arg(long, conflicts_with = "output")]
    ready: bool,

    #[command(flatten)]
    output: OutputArgs,
}

/// What is printed as JSON if the daemon answers; otherwise it is [`Offline`].
#[derive(Debug, Serialize)]
struct StatusOutput<'a> {
    running: bool,
    well: bool,
    ready: bool,
    #[serde(flatten)]
    status: &'a Status,
}

/// Shows what the daemon answers. If it does not run, reads this node's files and the kernel.
pub(crate) fn run(args: &StatusArgs) -> Result<CliOutput, CommandError> {
    if args.ready {
        return readiness(query_readiness());
    }
    let status: Status = match query_daemon("/status") {
        Ok(status) => status,
        Err(client::Error::NotRunning(_)) => return without_daemon(args),
        Err(error) => return Err(error.into()),
    };
    let well = status.troubles.is_empty();
    let output = StatusOutput {
        running: true,
        well,
        ready: status.missing.is_empty(),
        status: &status,
    };
    let text = args.output.text(&output, |terminal| {
        render(&status, unix_seconds(), terminal)
    })?;
    let status = u8::from(!well);
    Ok(CliOutput { text, status })
}

/// One line, as kubelet shows it in an event.
fn readiness(answer: Result<(), client::Error>) -> Result<CliOutput, CommandError> {
    let (text, status) = match answer {
        Ok(()) => ("ready for pods".to_owned(), 0),
        Err(client::Error::Refused(missing)) => {
            let missing: Vec<_> = missing.lines().collect();
            (format!("not ready for pods: {}", missing.join("; ")), 1)
        }
        Err(error @ client::Error::NotRunning(_)) => {
            (format!("not ready for pods: {error}"), NOT_RUNNING)
        }
        Err(error) => return Err(error.into()),
    };
    Ok(CliOutput { text, status })
}

fn without_daemon(args: &StatusArgs) -> Result<CliOutput, CommandError> {
    let offline = Offline::collect(&args.network);
    let text = args
        .output
        .text(&offline, |terminal| offline.render(terminal))?;
    let status = NOT_RUNNING;
    Ok(CliOutput { text, status })
}

fn render(status: &Status, now: u64, terminal: Terminal) -> String {
    let verdict = match (status.troubles.is_empty(), status.remarks.is_empty()) {
        (true, true) => terminal.paint("well", Tone::Good),
        (true, false) => terminal.paint("well", Tone::Good) + ", see the remarks",
        (false, _) => terminal.paint("not well", Tone::Bad),
    };
    let Status { node, network, .. } = status;
    let mut text = format!("node {node} of network {network}: {verdict}");
    for (name, value) in facts(status, now) {
        append(&mut text, name, &value);
    }
    let tone = |tone| move |text: &str| terminal.paint(text, tone);
    section(&mut text, "troubles", &status.troubles, tone(Tone::Bad));
    section(&mut text, "remarks", &status.remarks, tone(Tone::Doubtful));
    text
}

fn section(text: &mut String, name: &str, lines: &[String], paint: impl Fn(&str) -> String) {
    if lines.is_empty() {
        return;
    }
    text.extend(["\n\n", &paint(name)]);
    for line in lines {
        text.extend(["\n  - ", line]);
    }
}

fn facts(status: &Status, now: u64) -> Vec<(&'static str, String)> {
    let age = time::age(now.saturating_sub(status.since));
    let routes = &status.routes;
    let repaired = routes.changes.get("repaired").copied().unwrap_or_default();
    let mut facts = vec![
        (
            "routed",
            format!("{}, pid {}, running for {age}", status.version, status.pid),
        ),
        ("ready", ready(status)),
        ("addresses", or_none(&list(&status.addresses))),
        ("subnets", or_none(&list(&status.subnets))),
        ("registry", registry(status)),
        ("nodes", nodes(status)),
        (
            "routes",
            format!(
                "{} desired, {} in the kernel, {} missing; repaired {repaired} times",
                routes.desired, routes.actual, routes.missing
            ),
        ),
        ("pods", pods(&status.pods)),
    ];
    let policy = status.policy.as_ref();
    facts.extend(policy.map(|policy| ("policy", lines::policy(policy).to_owned())));
    let http = status.http.as_ref();
    let http = http.map_or("off".to_owned(), |http| match http.why {
        None => http.address.to_string(),
        Some(_) => format!("not on {}", http.address),
    });
    facts.push(("http", http));
    facts
}

fn ready(status: &Status) -> String {
    if status.missing.is_empty() {
        format!("yes, {}", status.conflist.display())
    } else {
        "no".to_owned()
    }
}

fn registry(status: &Status) -> String {
    let registry = &status.registry;
    if registry.local {
        return "a file of this node: there is neither an etcd nor a kubernetes section".to_owned();
    }
    let mut parts = vec![if registry.connected {
        "connected".to_owned()
    } else {
        "not connected".to_owned()
    }];
    parts.push(format!("revision {}", registry.revision));
    if registry.distrust.is_some() {
        parts.push("not believed".to_owned());
    }
    if registry.ignored > 0 {
        parts.push(format!("{} records ignored", registry.ignored));
    }
    parts.join(", ")
}

fn nodes(status: &Status) -> String {
    if status.registry.local {
        return "this one only".to_owned();
    }
    let nodes = status.nodes;
    format!("{} present, {} absent", nodes.present, nodes.absent)
}

#[cfg(test)]
mod tests;
