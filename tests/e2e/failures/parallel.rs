//! Parallel calls.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use lab::{Result, Runtime};

use crate::support::{ipams, lab, node_with};

#[test]
fn parallel_adds_of_one_pod_let_one_win_without_harm() -> Result {
    for ipam in ipams() {
        let lab = node_with(&ipam)?;
        let node = lab.node(1);
        let runtime = Runtime::of(node)?;
        for _ in 0..10 {
            let pod = node.sandbox("a")?;
            let add = || runtime.add(pod.target());
            let (one, two) = thread::scope(|scope| {
                let (one, two) = (scope.spawn(add), scope.spawn(add));
                (one.join().unwrap(), two.join().unwrap())
            });
            let (won, lost) = match (one, two) {
                (Ok(won), Err(lost)) | (Err(lost), Ok(won)) => (won, lost.to_string()),
                (one, two) => panic!("one of two has to win: {one:?}, {two:?}"),
            };
            // It met the other ADD, or came after it.
            let is_told = ["another ADD of a/eth0 is under way", ipam.refusal];
            assert!(is_told.iter().any(|why| lost.contains(why)), "{lost}");
            runtime.check(pod.target(), &won)?;
            runtime.del(pod.target(), Some(&won))?;
            pod.delete_netns()?;
            node.run(&["rm", "-f", "/run/given-a"])?;
        }
    }
    Ok(())
}

#[test]
fn parallel_adds_and_dels_of_300_pods_leave_nothing() -> Result {
    let lab = lab()?;
    let node = lab.node(1);
    let before = node.attachment_state()?;
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
    assert_eq!(node.attachment_state()?, before);
    Ok(())
}
