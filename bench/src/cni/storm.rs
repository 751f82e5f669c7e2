//! Many at once.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use lab::wait_until;
use serde::{Deserialize, Serialize};

use super::contender::Contender;
use super::host::{Pod, links, settle};
use crate::figures::{Samples, nanoseconds};

/// How many calls are in flight.
pub(crate) const IN_FLIGHT: [usize; 5] = [1, 4, 16, 50, 200];
/// At least so many pods come and go, however few are in flight.
const LEAST: usize = 24;
/// How many workers the churn has.
const CHURNING: usize = 8;

/// Pods that come at once and go at once.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Storm {
    pub(crate) contender: String,
    pub(crate) in_flight: usize,
    pub(crate) pods: usize,
    /// From the first call's start to the last one's end.
    pub(crate) add: Samples,
    pub(crate) del: Samples,
    /// From the first DEL's start until the kernel has destroyed the last interface.
    pub(crate) gone: Samples,
}

/// ADD and DEL at once, for a while.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Churn {
    pub(crate) contender: String,
    pub(crate) seconds: f64,
    pub(crate) add: Samples,
    pub(crate) del: Samples,
}

/// Everything that is measured with many calls at once.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Storms {
    pub(crate) storms: Vec<Storm>,
    pub(crate) churns: Vec<Churn>,
}

/// `rounds` storms of each strength, and `seconds` of churn, all contenders in turn.
pub(crate) fn measure(rounds: usize, seconds: u64) -> Result<Storms, String> {
    let contenders = Contender::few();
    let pods = Pod::make_all("storm", 0..200)?;
    contenders
        .iter()
        .try_for_each(|contender| warm(contender, &pods[0]))?;
    let mut storms = Vec::new();
    for in_flight in IN_FLIGHT {
        let pods = &pods[..in_flight.max(LEAST)];
        let mut outcomes: Vec<Vec<[Duration; 3]>> = vec![Vec::new(); contenders.len()];
        for _ in 0..rounds {
            for (contender, outcomes) in contenders.iter().zip(&mut outcomes) {
                outcomes.push(storm(contender, pods, in_flight)?);
                settle()?;
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

/// Shows that it works, and makes what it makes only once.
fn warm(contender: &Contender, pod: &Pod) -> Result<(), String> {
    let added = contender.call("ADD", pod, "")?;
    contender.ping(pod, &added.printed)?;
    contender.call("DEL", pod, &added.printed)?;
    settle()
}

fn storm(contender: &Contender, pods: &[Pod], in_flight: usize) -> Result<[Duration; 3], String> {
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
        settle()?;
    }
    wait_until("end of the pods' interfaces", lab::DEADLINE, || {
        links().is_ok_and(|now| now <= before)
    })
    .map_err(|error| error.to_string())?;
    Ok([add, del, start.elapsed()])
}

/// Does `work` for 0 to `count` on so many threads and returns how long all of it took.
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

/// Each contender has its slices of the time, so that all see the same machine.
fn churn(contenders: &[Contender], pods: &[Pod], time: Duration) -> Result<Vec<Churn>, String> {
    const SLICES: u32 = 3;
    let mut seen: Vec<(Vec<u64>, Vec<u64>, Duration)> = vec![Default::default(); contenders.len()];
    for _ in 0..SLICES {
        for (contender, (adds, dels, spent)) in contenders.iter().zip(&mut seen) {
            let start = Instant::now();
            let slices = thread::scope(|scope| {
                let workers: Vec<_> = pods[..CHURNING]
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
            settle()?;
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

/// ADD and DEL in one namespace, over and over, until `end`: of one pod after the other, as no
/// runtime gives a container's id to another.
fn come_and_go(
    contender: &Contender,
    pod: &Pod,
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
