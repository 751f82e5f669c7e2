//! `lab demo`: a cluster on this machine, shown to a person.

mod cluster;
mod ending;
mod matrix;
mod report;
mod survey;
mod table;

use std::env;
use std::process::ExitCode;
use std::time::Instant;

use crate::error::Doing;
use crate::namespaces::own_path;
use crate::{Families, Kept, Lab, Result};
use cluster::Cluster;
use report::DemoReport;

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

/// The `lab` program, as one types it in the current folder.
fn lab_program() -> Result<String> {
    let own = own_path()?;
    let here = env::current_dir().doing("finding the current folder")?;
    Ok(own.strip_prefix(here).unwrap_or(&own).display().to_string())
}

/// Raises the cluster, lets all nodes and pods query each other, and prints the answers. Failure if
/// one party does not reach another, or is seen with a foreign address, or if `routed` finds
/// something broken.
pub fn demo(options: Options) -> Result<ExitCode> {
    let start = Instant::now();
    let report = DemoReport::to_stdout();
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
    let probed = survey::everyone(&ends)?;
    let parties: Vec<_> = ends.iter().map(|end| end.party.clone()).collect();
    let well = report.reach(&parties, &probed)?;
    report.timings(&cluster, start.elapsed())?;
    let mut works = true;
    for query in ending::queries(&parties) {
        works &= report.query(&query, &query.run(lab.nodes())?)?;
    }

    if options.keep {
        let places = ends.iter().map(survey::End::place).collect();
        servers.into_iter().for_each(std::mem::forget);
        drop((ends, cluster));
        lab.leave(places)?;
    }
    let program = options.keep.then(lab_program).transpose()?;
    report.closing(&ending::hints(program.as_deref(), &parties))?;
    Ok(if well && works {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
