//! Calls at the same time.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use lab::{Result, Runtime};

use crate::support::lab;

#[test]
fn of_two_adds_at_once_one_wins_and_the_other_harms_nothing() -> Result {
    let lab = lab()?;
    let node = lab.node(1);
    for round in 0..10 {
        let pod = node.sandbox(&format!("p{round}"))?;
        let runtime = Runtime::of(node)?;
        let add = || runtime.add(pod.target());
        let (one, two) = thread::scope(|scope| {
            let (one, two) = (scope.spawn(add), scope.spawn(add));
            (one.join().unwrap(), two.join().unwrap())
        });
        let (won, lost) = match (one, two) {
            (Ok(won), Err(lost)) | (Err(lost), Ok(won)) => (won, lost.to_string()),
            (one, two) => panic!("one of two has to win: {one:?}, {two:?}"),
        };
        assert!(lost.contains("\"code\":100"), "{lost}");
        runtime.check(pod.target(), &won)?;
    }
    Ok(())
}

#[test]
fn three_hundred_pods_come_and_go_sixteen_at_a_time_and_leave_nothing() -> Result {
    let lab = lab()?;
    let node = lab.node(1);
    let before = node.traces()?;
    let next = AtomicUsize::new(0);
    let work = || -> Result {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= 300 {
                return Ok(());
            }
            node.add_pod(&format!("p{number}"))?.delete()?;
        }
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..16).map(|_| scope.spawn(work)).collect();
        workers
            .into_iter()
            .try_for_each(|worker| worker.join().unwrap())
    })?;
    assert_eq!(node.traces()?, before);
    Ok(())
}
