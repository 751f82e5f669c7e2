//! The cost with so many pods on the node.

use std::thread;

use super::contender::Contender;
use super::host::{Pod, settle};
use super::latency::{self, Row};

/// How many pods are on the node, one after the other.
pub(crate) const PODS: [u16; 4] = [0, 250, 1000, 4000];

/// Times all verbs of the contenders with ever more pods on the node, of one family or of both.
pub(crate) fn measure(rounds: usize, most: u16, dual: bool) -> Result<Vec<Row>, String> {
    let mut contenders = Contender::all();
    // host-local with thousands of addresses of two families takes a fifth of a second for each more.
    contenders.retain(|it| it.dual == dual && (!dual || it.is_ours() || it.is_floor()));
    let (mut rows, mut there) = (Vec::new(), 0);
    for pods in PODS.into_iter().filter(|pods| *pods <= most) {
        fill(&contenders, there..pods)?;
        there = pods;
        rows.extend(latency::measure(&contenders, rounds, pods.into())?);
    }
    Ok(rows)
}

/// Adds pods. The kernel sees one set of them, ours, whoever is timed; their addresses are taken in
/// everybody's books.
fn fill(contenders: &[Contender], numbers: std::ops::Range<u16>) -> Result<(), String> {
    let pods = numbers
        .map(|number| Pod::make_untouched("full", number))
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
    settle()
}

/// Each half by a thread of its own.
fn in_two(pods: &[Pod], work: impl Fn(&[Pod]) -> Result<(), String> + Sync) -> Result<(), String> {
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
