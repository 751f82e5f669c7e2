//! `routed routes`: the desired routes compared with those in the kernel.

mod compare;

use std::io::{self, Write};

use clap::Args;
use daemonkit::http::client;
use serde::Serialize;
use wire::node::NodeName;

use self::compare::{ComparedRoute, RouteState, compare};
use crate::cli::table::{Cell, left, render, with_reasons};
use crate::cli::terminal::Terminal;
use crate::cli::{CliOutput, CommandError, NOT_RUNNING, OutputArgs, query_daemon};
use crate::fib;
use crate::kernel::{Kernel, Netlink};

/// The flags of `routed routes`.
#[derive(Debug, Args)]
pub(crate) struct RoutesArgs {
    #[command(flatten)]
    output: OutputArgs,
}

/// What is printed as JSON.
#[derive(Debug, Serialize)]
struct RoutesOutput {
    /// Whether the daemon runs; otherwise the desired routes are not known.
    running: bool,
    routes: Vec<ComparedRoute>,
}

/// Compares the desired routes of the daemon with the routes of the kernel.
pub(crate) fn run(args: &RoutesArgs) -> Result<CliOutput, CommandError> {
    let mut kernel = Netlink::default();
    let actual = fib::list_own(&mut kernel)?.ours;
    let links = kernel.links()?;
    let (running, desired) = match query_daemon("/routes") {
        Ok(desired) => (true, desired),
        Err(error @ client::Error::NotRunning(_)) => {
            // An error of the write does no harm: the output shows unknown states as "?".
            drop(writeln!(
                io::stderr(),
                "routed: {error}; as the kernel has it:"
            ));
            (false, Vec::new())
        }
        Err(error) => return Err(error.into()),
    };
    let routes = compare(desired, &actual, &links, running);
    let is_well = routes.iter().all(|route| route.state.is_well());
    let status = if running {
        u8::from(!is_well)
    } else {
        NOT_RUNNING
    };
    let output = RoutesOutput { running, routes };
    let text = args
        .output
        .text(&output, |terminal| table(&output.routes, terminal))?;
    Ok(CliOutput { text, status })
}

fn table(routes: &[ComparedRoute], terminal: Terminal) -> String {
    let rows: Vec<_> = routes.iter().map(row).collect();
    let reasons = routes.iter().filter_map(|route| route.why.as_deref());
    let columns = ["SUBNET", "NODE", "DESIRED", "ACTUAL", "STATE"].map(left);
    with_reasons(render(&columns, &rows, terminal), reasons)
}

fn row(route: &ComparedRoute) -> Vec<Cell> {
    let (state, tone) = route.state.word();
    let actual = match (&route.desired, route.actual.as_slice()) {
        (_, []) => "none".to_owned(),
        (Some(desired), [actual]) if desired == actual => "same".to_owned(),
        (_, actual) => actual.join(", "),
    };
    let node = route.node.as_ref().map_or("?", NodeName::as_str);
    let undesired = if route.state == RouteState::Unknown {
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
