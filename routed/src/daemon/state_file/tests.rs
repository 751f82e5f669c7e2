use super::*;
use crate::rib::path::Desired;
use crate::rib::path::RoutePath;
use std::fs;

fn rib(held: &[&str]) -> Rib {
    let subnets = held.iter().map(|subnet| subnet.parse::<IpNet>().unwrap());
    let found: Desired = subnets
        .map(|subnet| (subnet, RoutePath::Unreachable))
        .collect();
    let seen = LastSeen {
        cluster: Some(7),
        revision: 42,
    };
    let n3 = NodeName::new("n3").unwrap();
    let owners = found.keys().map(|subnet| (*subnet, Some(n3.clone())));
    let owners = owners.collect();
    Rib::new(seen, found, &owners)
}

#[test]
fn held_routes_and_revision_are_reloaded() {
    let folder = tempfile::tempdir().unwrap();
    let mut file = StateFile::load(folder.path());
    assert_eq!(file.last_seen(), LastSeen::default());
    let rib = rib(&["10.244.3.0/24"]);
    file.update(&rib, false);
    let reloaded = StateFile::load(folder.path());
    assert_eq!(reloaded.last_seen(), rib.last_seen());
    assert_eq!(*reloaded.held(), rib.held());
}

#[test]
fn later_revision_is_written_only_after_a_whole_read() {
    let folder = tempfile::tempdir().unwrap();
    let mut file = StateFile::load(folder.path());
    file.update(&rib(&[]), false);
    assert!(!file.path.exists());
    file.update(&rib(&[]), true);
    assert_eq!(StateFile::load(folder.path()).last_seen().revision, 42);
}

#[test]
fn damaged_file_counts_as_empty_and_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("routed.json"), b"{").unwrap();
    let mut file = StateFile::load(folder.path());
    assert!(file.held().is_empty());
    file.update(&rib(&["10.244.3.0/24"]), false);
    assert_eq!(StateFile::load(folder.path()).held().len(), 1);
}

#[test]
fn content_that_could_not_be_written_is_written_the_next_time() {
    let folder = tempfile::tempdir().unwrap();
    let below = folder.path().join("network");
    // A file in place of the folder.
    fs::write(&below, b"").unwrap();
    let mut file = StateFile::load(&below);
    let cidrs = ["10.244.0.0/16".parse().unwrap()];
    assert!(!file.set_pod_cidrs(&cidrs));
    assert!(!file.set_pod_cidrs(&cidrs));
    fs::remove_file(&below).unwrap();
    assert!(file.set_pod_cidrs(&cidrs));
    assert_eq!(StateFile::load(&below).pod_cidrs(), cidrs);
}
