//! `lab demo`: a cluster on this machine, shown to a person.

mod cluster;
mod matrix;
mod report;
mod survey;
mod table;

use std::process::ExitCode;
use std::time::Instant;

use crate::{Families, Kept, Lab, Result};
use cluster::Cluster;
use report::Report;

/// What the demo shows.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// How many nodes.
    pub nodes: u8,
    /// How many pods on each.
    pub pods: u8,
    /// The families of pods' addresses, and those that are tried.
    pub families: Families,
    /// Whether the cluster stays up.
    pub keep: bool,
}

/// Raises the cluster, lets everyone ask everyone, prints what came of it. Failure if anybody did
/// not reach anybody, or was seen as somebody else.
pub fn demo(options: Options) -> Result<ExitCode> {
    let start = Instant::now();
    let report = Report::to_stdout();
    let mut builder = Lab::builder()
        .nodes(options.nodes)
        .families(options.families);
    if options.keep {
        builder = builder.keep(Kept::file()?);
    }
    let lab = builder.start()?;
    report.title(options)?;

    let cluster = Cluster::raise(&lab, options)?;
    report.nodes(&cluster, options.families)?;
    report.pods(&cluster, options.families)?;
    report.routes(&cluster, options.families)?;

    let ends = cluster.ends(options.families);
    let servers = ends
        .iter()
        .map(survey::End::serve)
        .collect::<Result<Vec<_>>>()?;
    let asked = survey::everyone(&ends)?;
    let parties: Vec<_> = ends.iter().map(|end| end.party.clone()).collect();
    let well = report.reach(&parties, &asked)?;
    report.timings(&cluster, start.elapsed())?;

    if options.keep {
        let places = ends.iter().map(survey::End::place).collect();
        servers.into_iter().for_each(std::mem::forget);
        drop((ends, cluster));
        report.left_up(&lab.leave(places)?)?;
    }
    Ok(if well {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
