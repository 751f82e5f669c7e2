//! Section 3, "Lifecycle & Ordering".

use std::collections::BTreeSet;
use std::thread;

use super::{EVERY, FIRST, Row};
use crate::conformance::stage::Stage;
use crate::conformance::verdict::{Judged, ensure, fail};

const LIFECYCLE: &str = "3 Lifecycle & Ordering";

/// How many calls are made at once.
const AT_ONCE: usize = 8;

pub(super) const ROWS: &[Row] = &[
    Row::must(
        "concurrent-add",
        LIFECYCLE,
        FIRST,
        "adds containers at once, each with an address of its own",
        add,
    ),
    Row::must(
        "concurrent-del",
        LIFECYCLE,
        EVERY,
        "deletes containers at once",
        del,
    ),
];

fn add(stage: &Stage<'_>) -> Judged {
    let mut seen = BTreeSet::new();
    for result in at_once(stage, "ADD")? {
        for ip in result["ips"].as_array().into_iter().flatten() {
            let address = ip["address"].as_str().unwrap_or_default().to_owned();
            if !seen.insert(address.clone()) {
                return fail(format!(
                    "two containers that are added at once both get {address}"
                ));
            }
        }
    }
    ensure(!seen.is_empty(), || "no result has an address".to_owned())
}

fn del(stage: &Stage<'_>) -> Judged {
    at_once(stage, "DEL").map(drop)
}

/// Calls the plugin for several containers at once, each of which is attached before it is deleted.
/// Returns what came out of it.
fn at_once(stage: &Stage<'_>, command: &str) -> Judged<Vec<serde_json::Value>> {
    let mut calls = Vec::new();
    for _ in 0..AT_ONCE {
        let pod = stage.pod()?;
        let call = match command {
            "DEL" => pod.del().after(&pod.attach()?),
            _ => pod.call(command),
        };
        calls.push(call.prepare());
    }
    let machine = &stage.machine;
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
        answer.succeeds(&format!("one of {AT_ONCE} {command}s at once fails"))?;
        if command == "ADD" {
            results.push(answer.object()?);
        }
    }
    Ok(results)
}
