//! `routed status`: is it well, and if not why.

mod offline;

use std::fmt::Write as _;

use clap::Args;
use serde::Serialize;

use self::offline::Offline;
use crate::cli::terminal::{Terminal, Tone};
use crate::cli::{CommandError, Format, Network, Report, daemon, json};
use crate::http::client;
use crate::status::{AddressUsage, Status};
use crate::text::list;
use crate::time;
use wire::clock::unix_seconds;

/// `EX_UNAVAILABLE` (sysexits.h): there is no daemon to ask.
pub(super) const NOT_RUNNING: u8 = 69;

/// The flags of `routed status`.
#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    network: Network,

    /// How it is printed.
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    output: Format,
}

/// What is printed as JSON where the daemon answers.
#[derive(Debug, Serialize)]
struct StatusOutput<'a> {
    running: bool,
    well: bool,
    ready: bool,
    #[serde(flatten)]
    status: &'a Status,
}

/// Asks the daemon; without it, looks for itself.
pub(crate) fn run(args: &StatusArgs) -> Result<Report, CommandError> {
    let status: Status = match daemon("/status") {
        Ok(status) => status,
        Err(client::Error::NotRunning) => return without(args),
        Err(why) => return Err(why.into()),
    };
    let well = status.troubles.is_empty();
    let text = match args.output {
        Format::Table => render(&status, unix_seconds(), Terminal::of_stdout()),
        Format::Json => json(&StatusOutput {
            running: true,
            well,
            ready: status.missing.is_empty(),
            status: &status,
        })?,
    };
    let status = u8::from(!well);
    Ok(Report { text, status })
}

fn without(args: &StatusArgs) -> Result<Report, CommandError> {
    let alone = Offline::collect(&args.network);
    let text = match args.output {
        Format::Table => alone.render(Terminal::of_stdout()),
        Format::Json => json(&alone)?,
    };
    let status = NOT_RUNNING;
    Ok(Report { text, status })
}

fn render(status: &Status, now: u64, screen: Terminal) -> String {
    let verdict = match (status.troubles.is_empty(), status.remarks.is_empty()) {
        (true, true) => screen.paint("well", Tone::Good),
        (true, false) => screen.paint("well", Tone::Good) + ", see the remarks",
        (false, _) => screen.paint("not well", Tone::Bad),
    };
    let Status { node, network, .. } = status;
    let mut text = format!("node {node} of network {network}: {verdict}");
    for (name, value) in facts(status, now) {
        append(&mut text, name, &value);
    }
    let tone = |tone| move |text: &str| screen.paint(text, tone);
    section(&mut text, "troubles", &status.troubles, tone(Tone::Bad));
    section(&mut text, "remarks", &status.remarks, tone(Tone::Doubtful));
    text
}

fn append(text: &mut String, name: &str, value: &str) {
    write!(text, "\n  {name:<10} {value}").expect("a string takes any text");
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
                "{} wanted, {} in the kernel, {} missing; repaired {repaired} times",
                routes.desired, routes.actual, routes.missing
            ),
        ),
        ("pods", pods(&status.pods)),
    ];
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
        return "a file of this node: there is no etcd section".to_owned();
    }
    let mut words = vec![if registry.connected {
        "connected".to_owned()
    } else {
        "not connected".to_owned()
    }];
    words.push(format!("revision {}", registry.revision));
    if registry.distrust.is_some() {
        words.push("not believed".to_owned());
    }
    if registry.ignored > 0 {
        words.push(format!("{} records ignored", registry.ignored));
    }
    words.join(", ")
}

fn nodes(status: &Status) -> String {
    if status.registry.local {
        return "this one only".to_owned();
    }
    let nodes = status.nodes;
    format!("{} present, {} absent", nodes.present, nodes.absent)
}

/// `IPv4: 3 used, 0 cooling, 250 free; IPv6: ...`
fn pods(usage: &std::collections::BTreeMap<String, AddressUsage>) -> String {
    let each: Vec<_> = usage
        .iter()
        .map(|(family, usage)| {
            let family = family.replace("ip", "IP");
            let AddressUsage {
                used,
                cooling,
                free,
            } = usage;
            format!("{family} {used} used, {cooling} cooling, {free} free")
        })
        .collect();
    or_none(&each.join("; "))
}

fn or_none(text: &str) -> String {
    if text.is_empty() {
        "none".to_owned()
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests;
