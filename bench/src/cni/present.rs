//! The cost of calls with many pods on the node.

use std::thread;

use super::contender::Contender;
use super::host::{BenchPod, wait_for_deferred_delete};
use super::latency::{self, LatencyRow};

/// The numbers of pods on the node, measured in this order.
pub(crate) const PODS: [u16; 4] = [0, 250, 1000, 4000];

/// Measures all verbs of the contenders of one family or of both, with growing numbers of pods on
/// the node, up to `most`.
pub(crate) fn measure(rounds: usize, most: u16, dual: bool) -> Result<Vec<LatencyRow>, String> {
    let mut contenders = Contender::all();
    // With thousands of addresses of two families, host-local takes a fifth of a second for each
    // more.
    contenders.retain(|it| it.dual == dual && (!dual || it.is_ours() || it.is_floor()));
    let (mut rows, mut there) = (Vec::new(), 0);
    for pods in PODS.into_iter().filter(|pods| *pods <= most) {
        fill(&contenders, there..pods)?;
        there = pods;
        rows.extend(latency::measure(&contenders, rounds, pods.into())?);
    }
    Ok(rows)
}

/// Adds pods. The kernel has one set of pods, ours, whichever contender is measured; every
/// contender's IPAM plugin has reservations for them.
fn fill(contenders: &[Contender], numbers: std::ops::Range<u16>) -> Result<(), String> {
    let pods = numbers
        .map(|number| BenchPod::make_untouched("full", number))
        .collect::<Result<Vec<_>, _>>()?;
    let Some((real, others)) = contenders.iter().position(Contender::is_ours).map(|ours| {
        (
            &contenders[ours],
            contenders
                .iter()
                .enumerate()
                .filter(move |(i, _)| *i != ours),
        )
    }) else {
        return Ok(());
    };
    in_two(&pods, |pods| {
        pods.iter()
            .try_for_each(|pod| real.call("ADD", pod, "").map(drop))
    })?;
    for (_, contender) in others {
        contender.reserve(&pods)?;
    }
    wait_for_deferred_delete()
}

/// Runs `work` on each half in its own thread.
fn in_two(
    pods: &[BenchPod],
    work: impl Fn(&[BenchPod]) -> Result<(), String> + Sync,
) -> Result<(), String> {
    let (one, other) = pods.split_at(pods.len() / 2);
    thread::scope(|scope| {
        let first = scope.spawn(|| work(one));
        let second = work(other);
        first
            .join()
            .unwrap_or_else(|_| Err("a thread panicked".to_owned()))
            .and(second)
    })
}
