//! The benchmark of `flatland-policy`: what policies cost a connection, how long a change of the API
//! takes to the kernel, and what a large cluster costs a node.

pub(crate) mod events;
pub(crate) mod load;
pub(crate) mod report;
pub(crate) mod size;
pub(crate) mod traffic;

use lab::Result;

use self::load::LoadSize;
use crate::table::BenchReport;

/// The namespace of the pods that policies select.
const NAMESPACE: &str = "load";
/// The namespace of their peers.
const PEERS: &str = "peers";
/// A namespace of ten peers, whose labels change.
const MOVING: &str = "moving";

/// The loads of a node between which a change of the API is timed.
const LOADS: [LoadSize; 2] = [
    LoadSize {
        local: 5,
        policies: 5,
        peers: 20,
    },
    LoadSize {
        local: 110,
        policies: 50,
        peers: 2000,
    },
];

/// Measures and reports everything.
pub(crate) fn run(quick: bool, report: &mut BenchReport) -> Result {
    let (turns, rounds, seconds) = if quick { (3, 20, 10) } else { (10, 200, 60) };
    report::traffic(report, &traffic::measure(turns)?)?;
    let loads = LOADS.map(|size| events::measure(size, rounds));
    let loads = loads.into_iter().collect::<Result<Vec<_>>>()?;
    report::events(report, &loads)?;
    report::size(report, &size::measure(50_000, 2000, seconds)?)
}
