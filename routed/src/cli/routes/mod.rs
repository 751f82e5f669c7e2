//! `routed routes`: what the kernel should hold against what it holds.

mod compare;

use std::io::{self, Write};

use clap::Args;
use serde::Serialize;
use wire::node::NodeName;

use self::compare::{ComparedRoute, State, compare};
use crate::cli::status::NOT_RUNNING;
use crate::cli::table::{Align, Cell, render, with_reasons};
use crate::cli::terminal::Terminal;
use crate::cli::{CommandError, Format, Report, daemon, json};
use crate::fib;
use crate::http::client;
use crate::kernel::{Kernel, Netlink};

/// The flags of `routed routes`.
#[derive(Debug, Args)]
pub(crate) struct RoutesArgs {
    /// How it is printed.
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    output: Format,
}

/// What is printed.
#[derive(Debug, Serialize)]
struct RoutesOutput {
    /// Whether the daemon was there to say what should be.
    running: bool,
    routes: Vec<ComparedRoute>,
}

/// Asks the daemon what should be and the kernel what is.
pub(crate) fn run(args: &RoutesArgs) -> Result<Report, CommandError> {
    let mut kernel = Netlink::default();
    let look = |kernel: &mut Netlink| {
        Ok::<_, wire::netlink::Error>((fib::list_own(kernel)?.ours, kernel.links()?))
    };
    let (actual, links) = look(&mut kernel).map_err(|why| CommandError::new(1, why.to_string()))?;
    let (running, desired) = match daemon("/routes") {
        Ok(desired) => (true, desired),
        Err(why @ client::Error::NotRunning) => {
            // Who does not read it sees states that are open.
            drop(writeln!(
                io::stderr(),
                "routed: {why}; as the kernel has it:"
            ));
            (false, Vec::new())
        }
        Err(why) => return Err(why.into()),
    };
    let routes = compare(desired, &actual, &links, running);
    let is_well = routes.iter().all(|route| route.state.is_well());
    let status = if running {
        u8::from(!is_well)
    } else {
        NOT_RUNNING
    };
    let text = match args.output {
        Format::Json => json(&RoutesOutput { running, routes })?,
        Format::Table => table(&routes, Terminal::of_stdout()),
    };
    Ok(Report { text, status })
}

const COLUMNS: [(&str, Align); 5] = [
    ("SUBNET", Align::Left),
    ("NODE", Align::Left),
    ("DESIRED", Align::Left),
    ("ACTUAL", Align::Left),
    ("STATE", Align::Left),
];

fn table(routes: &[ComparedRoute], screen: Terminal) -> String {
    let rows: Vec<_> = routes.iter().map(row).collect();
    let whys = routes.iter().filter_map(|route| route.why.as_deref());
    with_reasons(render(&COLUMNS, &rows, screen), whys)
}

fn row(route: &ComparedRoute) -> Vec<Cell> {
    let (state, tone) = route.state.words();
    let actual = match (&route.desired, route.actual.as_slice()) {
        (_, []) => "none".to_owned(),
        (Some(desired), [actual]) if desired == actual => "same".to_owned(),
        (_, actual) => actual.join(", "),
    };
    let node = route.node.as_ref().map_or("?", NodeName::as_str);
    let undesired = if route.state == State::Unknown {
        "?"
    } else {
        "none"
    };
    vec![
        route.subnet.to_string().into(),
        node.into(),
        route.desired.as_deref().unwrap_or(undesired).into(),
        actual.into(),
        Cell::new(state, tone),
    ]
}

#[cfg(test)]
mod tests;
