//! One operation after the other.

use std::time::Duration;

use nix::sys::resource::{Usage, UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use serde::{Deserialize, Serialize};

use super::contender::Contender;
use super::host::{Pod, settle};
use super::process::Called;
use super::turns::order;
use crate::figures::Samples;

/// What is called, in this order.
pub(crate) const VERBS: [&str; 3] = ["ADD", "CHECK", "DEL"];

/// One verb of one contender.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) contender: String,
    /// Whether its pods have both families.
    pub(crate) dual: bool,
    pub(crate) verb: String,
    /// How many other pods were on the node.
    pub(crate) pods: usize,
    /// From the start of the process to its end.
    pub(crate) latency: Samples,
    /// Processor time of all its processes.
    pub(crate) cpu: Samples,
    /// Pages that the kernel had to map for them one by one.
    pub(crate) faults: Samples,
}

/// What calls took.
#[derive(Debug, Default)]
pub(crate) struct Measured {
    pub(crate) latency: Vec<Duration>,
    pub(crate) cpu: Vec<u64>,
    pub(crate) faults: Vec<u64>,
}

/// Times each verb of each contender `rounds` times with `pods` others on the node. In each round
/// all of them take their turns, in another order each time, and a round before the first is not
/// counted.
pub(crate) fn measure(
    contenders: &[Contender],
    rounds: usize,
    pods: usize,
) -> Result<Vec<Row>, String> {
    let sandboxes = contenders
        .iter()
        .enumerate()
        .map(|(index, _)| Pod::make_all(&format!("c{index}p{pods}x"), 8000..8001))
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
                    // What was timed worked: before the first figure counts, and with the last.
                    if round == 0 || round == rounds {
                        contender.ping(pod, &called.printed)?;
                    }
                    results[index] = called.printed;
                }
                if *verb == "DEL" {
                    settle()?;
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
            rows.push(Row {
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
    /// Calls, and keeps what it took if that `counts`.
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

/// Of all children that were waited for, and of theirs.
fn usage() -> Result<Usage, String> {
    getrusage(UsageWho::RUSAGE_CHILDREN).map_err(|errno| errno.to_string())
}
