//! Latency of single calls: ADD, CHECK and DEL, one after the other.

use std::time::Duration;

use nix::sys::resource::{Usage, UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use serde::{Deserialize, Serialize};

use super::contender::Contender;
use super::host::{BenchPod, wait_for_deferred_delete};
use super::order::order;
use super::process::Called;
use crate::figures::Samples;

/// The measured verbs, in the order of calls.
pub(crate) const VERBS: [&str; 3] = ["ADD", "CHECK", "DEL"];

/// One verb of one contender.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct LatencyRow {
    pub(crate) contender: String,
    /// Whether its pods have both address families.
    pub(crate) dual: bool,
    pub(crate) verb: String,
    /// The number of other pods on the node.
    pub(crate) pods: usize,
    /// From the start of the process to its end.
    pub(crate) latency: Samples,
    /// Processor time of all processes of the call.
    pub(crate) cpu: Samples,
    /// Page faults of all processes of the call.
    pub(crate) faults: Samples,
}

/// The results of calls.
#[derive(Debug, Default)]
pub(crate) struct Measured {
    pub(crate) latency: Vec<Duration>,
    pub(crate) cpu: Vec<u64>,
    pub(crate) faults: Vec<u64>,
}

/// Measures each verb of each contender `rounds` times with `pods` other pods on the node. In each
/// round all contenders take turns, in a different order each time. A warm-up round is not counted.
pub(crate) fn measure(
    contenders: &[Contender],
    rounds: usize,
    pods: usize,
) -> Result<Vec<LatencyRow>, String> {
    let sandboxes = contenders
        .iter()
        .enumerate()
        .map(|(index, _)| BenchPod::make_all(&format!("c{index}p{pods}x"), 8000..8001))
        .collect::<Result<Vec<_>, _>>()?;
    let mut measured: Vec<[Measured; 3]> = contenders.iter().map(|_| Default::default()).collect();
    for round in 0..=rounds {
        let mut results = vec![String::new(); contenders.len()];
        for (number, verb) in VERBS.iter().enumerate() {
            for index in order(round, contenders.len()) {
                let (contender, pod) = (&contenders[index], &sandboxes[index][0]);
                if *verb == "CHECK" && contender.is_floor() {
                    continue;
                }
                let measured = &mut measured[index][number];
                let called =
                    measured.call(round > 0, || contender.call(verb, pod, &results[index]))?;
                if *verb == "ADD" {
                    // Check that the measured calls work: before the first measurement, and with
                    // the last one.
                    if round == 0 || round == rounds {
                        contender.ping(pod, &called.printed)?;
                    }
                    results[index] = called.printed;
                }
                if *verb == "DEL" {
                    wait_for_deferred_delete()?;
                }
            }
        }
    }
    let mut rows = Vec::new();
    for (contender, verbs) in contenders.iter().zip(measured) {
        for (verb, measured) in VERBS.iter().zip(verbs) {
            if measured.latency.is_empty() {
                continue;
            }
            rows.push(LatencyRow {
                contender: contender.name.clone(),
                dual: contender.dual,
                verb: (*verb).to_owned(),
                pods,
                latency: measured.latency.into_iter().collect(),
                cpu: measured.cpu.into_iter().collect(),
                faults: measured.faults.into_iter().collect(),
            });
        }
    }
    Ok(rows)
}

impl Measured {
    /// Makes a call, and keeps its measurements if `counts`.
    pub(crate) fn call(
        &mut self,
        counts: bool,
        call: impl FnOnce() -> Result<Called, String>,
    ) -> Result<Called, String> {
        let before = usage()?;
        let called = call()?;
        let after = usage()?;
        if counts {
            let cpu = |usage: &Usage| (usage.user_time() + usage.system_time()).num_microseconds();
            self.latency.push(called.elapsed);
            self.cpu
                .push(1000 * (cpu(&after) - cpu(&before)).unsigned_abs());
            let faults = after.minor_page_faults() - before.minor_page_faults();
            self.faults.push(faults.unsigned_abs());
        }
        Ok(called)
    }
}

/// Resource usage of all waited-for children, and of theirs.
fn usage() -> Result<Usage, String> {
    getrusage(UsageWho::RUSAGE_CHILDREN).map_err(|errno| errno.to_string())
}
