//! Another program removes files of the ledger while pods run: no address is handed out twice, and no
//! ADD fails.

use std::fs;
use std::net::IpAddr;
use std::path::Path;

use crate::common::{Interruption, START, TestNode, pod};
use ipam::Error;

/// What is removed: a folder (the whole ledger is ""), or the files in it.
const REMOVED: [&str; 9] = [
    "",
    "addresses",
    "attachments",
    "freed",
    "queues",
    "addresses/*",
    "attachments/*",
    "freed/*",
    "queues/*",
];

/// A node with three running pods, of which the middle one is deleted.
fn node() -> (TestNode, Vec<IpAddr>) {
    let node = TestNode::new(&[&["10.9.1.0/28"], &["fd00::/124"]]);
    for name in ["a", "b", "c"] {
        run(&node, name);
    }
    stop(&node, "b");
    let running = node.running.lock().unwrap().iter().map(|it| it.0).collect();
    (node, running)
}

/// ADD as far as the kernel's routes. Fails if another pod has one of its addresses.
fn run(node: &TestNode, name: &str) -> Vec<IpAddr> {
    let addresses = node.add(&pod(name), START).unwrap();
    let mut running = node.running.lock().unwrap();
    for address in &addresses {
        let twice = running.iter().any(|(other, _)| other == address);
        assert!(!twice, "{address}: File exists");
        running.push((*address, pod(name)));
    }
    addresses
}

/// DEL: first the routes go, then the addresses.
fn stop(node: &TestNode, name: &str) -> Vec<IpAddr> {
    node.running
        .lock()
        .unwrap()
        .retain(|(_, holder)| *holder != pod(name));
    node.del(&pod(name), START).unwrap()
}

fn wipe(node: &TestNode, what: &str) {
    let Some(folder) = what.strip_suffix("/*") else {
        return fs::remove_dir_all(node.path(what)).unwrap();
    };
    let files = fs::read_dir(node.path(folder)).unwrap();
    files.for_each(|file| fs::remove_file(file.unwrap().path()).unwrap());
}

#[test]
fn addresses_of_running_pods_are_skipped_after_a_wipe() {
    for what in REMOVED {
        let (node, _) = node();
        wipe(&node, what);
        for number in 0..11 {
            run(&node, &format!("new{number}"));
        }
        let error = node.add(&pod("one-too-many"), START).unwrap_err();
        assert!(matches!(error, Error::Exhausted { .. }), "{what}: {error}");
        assert_eq!(node.inventory().held.len(), 26, "{what}");
        let error = node.add(&pod("a"), START).unwrap_err();
        assert!(matches!(error, Error::Held { .. }), "{what}: {error}");
    }
}

#[test]
fn restored_ledger_frees_everything_on_del() {
    for what in REMOVED {
        let (node, running) = node();
        wipe(&node, what);
        run(&node, "new");
        node.restore(Interruption::None).unwrap();
        assert!(node.restore(Interruption::None).unwrap().is_empty());
        let held: Vec<_> = node.inventory().held.into_iter().map(|it| it.0).collect();
        assert!(running.iter().all(|it| held.contains(it)), "{what}");
        for name in ["a", "c", "new"] {
            assert_eq!(stop(&node, name).len(), 2, "{what} {name}");
        }
        assert_eq!((node.inventory().held.len(), node.links().len()), (0, 0));
    }
}

#[test]
fn second_add_after_a_wipe_is_refused() {
    for what in ["", "addresses", "attachments", "queues"] {
        let (node, _) = node();
        wipe(&node, what);
        let error = node.add(&pod("a"), START).unwrap_err();
        assert!(matches!(error, Error::Held { .. }), "{what}: {error}");
    }
}

#[test]
fn restore_that_is_cut_at_any_step_is_done_by_the_next() {
    for step in 0..40 {
        let (node, _) = node();
        wipe(&node, "");
        let cut = node.add_with(&pod("new"), &[], START, Interruption::Kill(step));
        if cut.is_ok() {
            assert!(step > 10, "{step}");
            return;
        }
        node.del(&pod("new"), START).unwrap();
        for number in 0..4 {
            run(&node, &format!("more{number}"));
        }
        for name in ["a", "c"] {
            assert_eq!(stop(&node, name).len(), 2, "cut at {step}: {name}");
        }
    }
    panic!("an ADD takes fewer steps");
}

#[test]
fn fresh_ledger_after_a_boot_has_nothing_to_restore() {
    let node = TestNode::new(&[&["10.9.1.0/28"]]);
    assert!(node.ledger(Interruption::None).unwrap().is_new());
    assert!(!node.ledger(Interruption::None).unwrap().is_new());
    assert!(node.restore(Interruption::None).unwrap().is_empty());
    assert!(Path::new(&node.path("addresses")).is_dir());
}
