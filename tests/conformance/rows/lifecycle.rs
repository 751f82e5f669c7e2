//! Section 3, "Lifecycle & Ordering".

use std::collections::BTreeSet;
use std::thread;

use super::{EVERY, FIRST, Row};
use crate::conformance::testbed::Testbed;
use crate::conformance::verdict::{Judged, ensure, fail};

const LIFECYCLE: &str = "3 Lifecycle & Ordering";

/// The number of parallel calls.
const PARALLEL_CALLS: usize = 8;

pub(super) const ROWS: &[Row] = &[
    Row::must(
        "concurrent-add",
        LIFECYCLE,
        FIRST,
        "adds containers in parallel, each with a different address",
        add,
    ),
    Row::must(
        "concurrent-del",
        LIFECYCLE,
        EVERY,
        "deletes containers in parallel",
        del,
    ),
];

fn add(testbed: &Testbed<'_>) -> Judged {
    let mut seen = BTreeSet::new();
    for result in in_parallel(testbed, "ADD")? {
        for ip in result["ips"].as_array().into_iter().flatten() {
            let address = ip["address"].as_str().unwrap_or_default().to_owned();
            if !seen.insert(address.clone()) {
                return fail(format!(
                    "two containers that are added in parallel both get {address}"
                ));
            }
        }
    }
    ensure(!seen.is_empty(), || "no result has an address".to_owned())
}

fn del(testbed: &Testbed<'_>) -> Judged {
    in_parallel(testbed, "DEL").map(drop)
}

/// Calls the plugin for several containers in parallel and returns the results. Before DEL, each
/// container is attached.
fn in_parallel(testbed: &Testbed<'_>, command: &str) -> Judged<Vec<serde_json::Value>> {
    let mut calls = Vec::new();
    for _ in 0..PARALLEL_CALLS {
        let pod = testbed.pod()?;
        let call = match command {
            "DEL" => pod.del().after(&pod.attach()?),
            _ => pod.call(command),
        };
        calls.push(call.prepare());
    }
    let machine = &testbed.machine;
    let answers: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = calls
            .into_iter()
            .map(|call| scope.spawn(|| call.run(machine)))
            .collect();
        threads
            .into_iter()
            .map(thread::ScopedJoinHandle::join)
            .collect()
    });
    let mut results = Vec::new();
    for answer in answers {
        let answer = answer.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        answer.succeeds(&format!(
            "one of {PARALLEL_CALLS} parallel {command} calls fails"
        ))?;
        if command == "ADD" {
            results.push(answer.object()?);
        }
    }
    Ok(results)
}
