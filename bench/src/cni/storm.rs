//! Parallel calls: many pods that are added and deleted at once.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use lab::wait_until;
use serde::{Deserialize, Serialize};

use super::contender::Contender;
use super::host::{BenchPod, links, wait_for_deferred_delete};
use crate::figures::{Samples, nanoseconds};

/// The numbers of parallel calls.
pub(crate) const IN_FLIGHT: [usize; 5] = [1, 4, 16, 50, 200];
/// The least number of pods in a storm, also with few parallel calls.
const MIN_PODS: usize = 24;
/// The number of workers of the churn.
const CHURN_WORKERS: usize = 8;

/// Many pods, added in parallel and then deleted in parallel.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Storm {
    pub(crate) contender: String,
    pub(crate) in_flight: usize,
    pub(crate) pods: usize,
    /// From the start of the first ADD to the end of the last one.
    pub(crate) add: Samples,
    pub(crate) del: Samples,
    /// From the start of the first DEL until the kernel has destroyed the last interface.
    pub(crate) gone: Samples,
}

/// ADD and DEL in parallel, for some time.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Churn {
    pub(crate) contender: String,
    pub(crate) seconds: f64,
    pub(crate) add: Samples,
    pub(crate) del: Samples,
}

/// All measurements with parallel calls.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Storms {
    pub(crate) storms: Vec<Storm>,
    pub(crate) churns: Vec<Churn>,
}

/// Measures `rounds` storms of each number of parallel calls, and `seconds` of churn, with the
/// contenders in turn.
pub(crate) fn measure(rounds: usize, seconds: u64) -> Result<Storms, String> {
    let contenders = Contender::v4_and_ours();
    let pods = BenchPod::make_all("storm", 0..200)?;
    contenders
        .iter()
        .try_for_each(|contender| warm(contender, &pods[0]))?;
    let mut storms = Vec::new();
    for in_flight in IN_FLIGHT {
        let pods = &pods[..in_flight.max(MIN_PODS)];
        let mut outcomes: Vec<Vec<[Duration; 3]>> = vec![Vec::new(); contenders.len()];
        for _ in 0..rounds {
            for (contender, outcomes) in contenders.iter().zip(&mut outcomes) {
                outcomes.push(storm(contender, pods, in_flight)?);
                wait_for_deferred_delete()?;
            }
        }
        storms.extend(
            contenders
                .iter()
                .zip(&outcomes)
                .map(|(contender, outcomes)| {
                    let nth = |nth: usize| outcomes.iter().map(|outcome| outcome[nth]).collect();
                    Storm {
                        contender: contender.name.clone(),
                        in_flight,
                        pods: pods.len(),
                        add: nth(0),
                        del: nth(1),
                        gone: nth(2),
                    }
                }),
        );
    }
    Ok(Storms {
        storms,
        churns: churn(&contenders, &pods, Duration::from_secs(seconds))?,
    })
}

/// Checks that the contender works, and makes what only its first call makes.
fn warm(contender: &Contender, pod: &BenchPod) -> Result<(), String> {
    let added = contender.call("ADD", pod, "")?;
    contender.ping(pod, &added.printed)?;
    contender.call("DEL", pod, &added.printed)?;
    wait_for_deferred_delete()
}

fn storm(
    contender: &Contender,
    pods: &[BenchPod],
    in_flight: usize,
) -> Result<[Duration; 3], String> {
    let before = links()?;
    let results: Vec<Mutex<String>> = pods.iter().map(|_| Mutex::default()).collect();
    let add = at_once(in_flight, pods.len(), |index| {
        let printed = contender.call("ADD", &pods[index], "")?.printed;
        *results[index].lock().map_err(|error| error.to_string())? = printed;
        Ok(())
    })?;
    contender.ping(
        &pods[0],
        &results[0].lock().map_err(|error| error.to_string())?,
    )?;
    let start = Instant::now();
    let del = at_once(in_flight, pods.len(), |index| {
        let result = results[index].lock().map_err(|error| error.to_string())?;
        contender.call("DEL", &pods[index], &result).map(drop)
    })?;
    if contender.is_floor() {
        wait_for_deferred_delete()?;
    }
    wait_until("end of the pods' interfaces", lab::DEADLINE, || {
        links().is_ok_and(|now| now <= before)
    })
    .map_err(|error| error.to_string())?;
    Ok([add, del, start.elapsed()])
}

/// Runs `work` for 0 to `count` on this number of threads and returns the time of all of it.
fn at_once(
    threads: usize,
    count: usize,
    work: impl Fn(usize) -> Result<(), String> + Sync,
) -> Result<Duration, String> {
    let next = AtomicUsize::new(0);
    let worker = || {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= count {
                return Ok(());
            }
            work(index)?;
        }
    };
    let start = Instant::now();
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads.min(count))
            .map(|_| scope.spawn(worker))
            .collect();
        workers.into_iter().try_for_each(|worker| {
            worker
                .join()
                .unwrap_or_else(|_| Err("a thread panicked".to_owned()))
        })
    })?;
    Ok(start.elapsed())
}

/// The contenders take turns in slices of the time, so that they run on the same state of the
/// machine.
fn churn(
    contenders: &[Contender],
    pods: &[BenchPod],
    time: Duration,
) -> Result<Vec<Churn>, String> {
    const SLICES: u32 = 3;
    let mut seen: Vec<(Vec<u64>, Vec<u64>, Duration)> = vec![Default::default(); contenders.len()];
    for _ in 0..SLICES {
        for (contender, (adds, dels, spent)) in contenders.iter().zip(&mut seen) {
            let start = Instant::now();
            let slices = thread::scope(|scope| {
                let workers: Vec<_> = pods[..CHURN_WORKERS]
                    .iter()
                    .map(|pod| {
                        scope.spawn(move || come_and_go(contender, pod, start + time / SLICES))
                    })
                    .collect();
                workers
                    .into_iter()
                    .map(|worker| {
                        worker
                            .join()
                            .unwrap_or_else(|_| Err("a thread panicked".to_owned()))
                    })
                    .collect::<Result<Vec<_>, _>>()
            })?;
            *spent += start.elapsed();
            for (add, del) in slices {
                adds.extend(add);
                dels.extend(del);
            }
            wait_for_deferred_delete()?;
        }
    }
    Ok(contenders
        .iter()
        .zip(seen)
        .map(|(contender, (add, del, spent))| Churn {
            contender: contender.name.clone(),
            seconds: spent.as_secs_f64(),
            add: add.into_iter().collect(),
            del: del.into_iter().collect(),
        })
        .collect())
}

/// Calls ADD and DEL in one namespace until `end`, each time for a new pod, as runtimes never reuse
/// a container id.
fn come_and_go(
    contender: &Contender,
    pod: &BenchPod,
    end: Instant,
) -> Result<(Vec<u64>, Vec<u64>), String> {
    let (mut adds, mut dels) = (Vec::new(), Vec::new());
    let mut pod = pod.successor();
    while Instant::now() < end {
        let added = contender.call("ADD", &pod, "")?;
        adds.push(nanoseconds(added.elapsed));
        let deleted = contender.call("DEL", &pod, &added.printed)?;
        dels.push(nanoseconds(deleted.elapsed));
        pod = pod.successor();
    }
    Ok((adds, dels))
}
