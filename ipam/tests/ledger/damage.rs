//! Damage by other programs to the ledger's files: it is reported or repaired, and never gives an
//! address two owners.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::time::Duration;

use crate::common::{COOL_DOWN, Interruption, START, TestNode, ip, names, pod};
use ipam::{AddressRequest, Disk, Error, KernelPods, Ledger};
use nix::sys::stat::Mode;

fn node() -> TestNode {
    TestNode::new(&[&["10.9.1.0/29"]])
}

/// The warnings of an ADD.
fn warnings_of_add(node: &TestNode, name: &str) -> Vec<String> {
    let ledger = Ledger::create(Disk::new(node.root())).unwrap();
    let request = AddressRequest {
        exclude: &[],
        fixed: &[],
        pools: &node.pools,
        cool_down: COOL_DOWN,
        max_cooling_percent: None,
        now: START,
        kernel_pods: &KernelPods::new(&|| Ok(Vec::new())),
    };
    let describe = |subnet| crate::common::describe(&pod(name), subnet);
    ledger
        .lock()
        .unwrap()
        .allocate(&pod(name), &request, describe)
        .unwrap();
    ledger.warnings()
}

#[test]
fn damaged_address_file_blocks_the_address_and_is_reported() {
    for (case, content) in [
        ("empty", ""),
        ("not JSON", "hello"),
        ("half of it", r#"{"containerId":"a","interface":"et"#),
        (
            "impossible attachment",
            r#"{"containerId":"../x","interface":"eth0","subnet":"10.9.1.0/29","since":1}"#,
        ),
    ] {
        let node = node();
        node.ledger(Interruption::None).unwrap();
        let path = node.path("addresses/10.9.1.2");
        fs::write(&path, content).unwrap();
        let warnings = warnings_of_add(&node, "a");
        assert!(
            warnings.len() == 1 && warnings[0].contains("addresses/10.9.1.2"),
            "{warnings:?}"
        );
        assert_eq!(node.inventory().held[0].0, ip("10.9.1.3"), "{case}");
        assert_eq!(fs::read_to_string(&path).unwrap(), content, "{case}");
        assert_eq!(node.inventory().damaged[0].0, ip("10.9.1.2"), "{case}");
        for name in ["b", "c", "d"] {
            node.add(&pod(name), START).unwrap();
        }
        let error = node.add(&pod("e"), START).unwrap_err().to_string();
        assert!(
            error.contains("blocked") && error.contains("addresses/10.9.1.2"),
            "{error}"
        );
    }
}

#[test]
fn irregular_file_blocks_no_operation() {
    let node = node();
    node.ledger(Interruption::None).unwrap();
    fs::create_dir(node.path("addresses/10.9.1.2")).unwrap();
    symlink("/nowhere", node.path("addresses/10.9.1.3")).unwrap();
    nix::unistd::mkfifo(&node.path("addresses/10.9.1.4"), Mode::S_IRWXU).unwrap();
    fs::write(node.path("addresses/README"), "notes").unwrap();
    let warnings = warnings_of_add(&node, "a");
    assert_eq!(warnings.len(), 3, "{warnings:?}");
    let inventory = node.inventory();
    assert_eq!(inventory.held[0].0, ip("10.9.1.5"));
    assert_eq!(inventory.damaged.len(), 3);
    assert_eq!(inventory.foreign, [node.path("addresses/README")]);
}

#[test]
fn del_frees_an_address_with_a_damaged_file() {
    let node = node();
    node.add(&pod("a"), START).unwrap();
    fs::write(node.path("addresses/10.9.1.2"), "").unwrap();
    let error = node.add(&pod("a"), START).unwrap_err();
    assert!(matches!(error, Error::Damaged { .. }), "{error}");
    assert_eq!(node.del(&pod("a"), START).unwrap(), [ip("10.9.1.2")]);
    assert_eq!((node.inventory().damaged.len(), node.links().len()), (0, 0));
    assert_eq!(node.freed_at(ip("10.9.1.2")), Some(START));
}

#[test]
fn damaged_file_with_two_links_is_freed_by_the_last() {
    let node = node();
    node.add(&pod("a"), START).unwrap();
    // As an ADD for b leaves it that is interrupted before it claims, or a copied file.
    symlink("../addresses/10.9.1.2", node.path("attachments/b@eth0.4")).unwrap();
    fs::write(node.path("addresses/10.9.1.2"), "?").unwrap();
    assert_eq!(node.del(&pod("b"), START).unwrap().len(), 0);
    assert_eq!(node.inventory().damaged.len(), 1);
    assert_eq!(node.del(&pod("a"), START).unwrap(), [ip("10.9.1.2")]);
    assert_eq!(node.inventory().damaged.len(), 0);
}

#[test]
fn link_to_the_address_of_another_frees_nothing() {
    let node = node();
    node.add(&pod("a"), START).unwrap();
    symlink("../addresses/10.9.1.2", node.path("attachments/b@eth0.4")).unwrap();
    assert_eq!(node.del(&pod("b"), START).unwrap().len(), 0);
    assert_eq!(node.links(), ["a@eth0.4"]);
    assert_eq!(node.inventory().held.len(), 1);
}

#[test]
fn link_without_an_address_is_replaced_by_a_search() {
    for target in [
        "/etc/passwd",
        "../addresses/fd00::2",
        "../addresses/x",
        "10.9.1.2",
    ] {
        let node = node();
        node.add(&pod("a"), START).unwrap();
        let link = node.path("attachments/a@eth0.4");
        fs::remove_file(&link).unwrap();
        symlink(target, &link).unwrap();
        let error = node.add(&pod("a"), START).unwrap_err();
        assert!(matches!(error, Error::Held { .. }), "{target}: {error}");
        assert_eq!(
            node.del(&pod("a"), START).unwrap(),
            [ip("10.9.1.2")],
            "{target}"
        );
        assert!(node.links().is_empty(), "{target}");
    }
}

#[test]
fn foreign_freed_files_are_reported_and_touched_ones_cool_again() {
    let node = node();
    node.add(&pod("a"), START).unwrap();
    node.del(&pod("a"), START).unwrap();
    fs::write(
        node.path("freed/10.9.1.2"),
        "touched, so its time is the wall clock's",
    )
    .unwrap();
    fs::write(node.path("freed/notes"), "").unwrap();
    fs::remove_file(node.path("queues/10.9.1.0-29")).unwrap();
    let warnings = warnings_of_add(&node, "b");
    assert!(
        warnings.len() == 1 && warnings[0].contains("freed/notes"),
        "{warnings:?}"
    );
    assert_eq!(node.freed_at(ip("10.9.1.2")), Some(START));
    for name in ["c", "d", "e"] {
        assert_ne!(node.add(&pod(name), START).unwrap(), [ip("10.9.1.2")]);
    }
    assert_eq!(node.add(&pod("f"), START).unwrap(), [ip("10.9.1.2")]);
}

#[test]
fn removed_address_file_is_found_when_no_other_is_free() {
    let node = node();
    for name in ["a", "b", "c", "d", "e"] {
        node.add(&pod(name), START).unwrap();
    }
    fs::remove_file(node.path("addresses/10.9.1.4")).unwrap();
    assert_eq!(node.add(&pod("f"), START).unwrap(), [ip("10.9.1.4")]);
}

#[test]
fn future_time_in_a_queue_does_not_block_it() {
    let node = node();
    for name in ["a", "b", "c", "d", "e"] {
        node.add(&pod(name), START).unwrap();
    }
    node.del(&pod("a"), START).unwrap();
    let queue = node.path("queues/10.9.1.0-29");
    let text = fs::read_to_string(&queue).unwrap();
    fs::write(&queue, text.replace(" 10000.0", " 99999.0")).unwrap();
    let later = START + Duration::from_secs(1);
    assert_eq!(node.add(&pod("f"), later).unwrap(), [ip("10.9.1.2")]);
    assert!(names(&node.path("freed")).is_empty());
}

/// The folders of the ledger.
const FOLDERS: [&str; 4] = ["addresses", "attachments", "freed", "queues"];

#[test]
fn file_in_the_place_of_a_folder_is_named() {
    for folder in FOLDERS {
        let node = node();
        fs::create_dir(node.root()).unwrap();
        fs::write(node.path(folder), "").unwrap();
        let error = node.add(&pod("a"), START).unwrap_err().to_string();
        assert!(error.contains(&format!("net/{folder}")), "{error}");
        assert_eq!(node.del(&pod("a"), START).unwrap().len(), 0, "{folder}");
    }
}

#[test]
fn del_frees_although_a_folder_is_missing_or_a_file() {
    for folder in FOLDERS {
        for is_file in [false, true] {
            let case = format!("{folder}, a file: {is_file}");
            let node = TestNode::new(&[&["10.9.1.0/29"], &["fd00::/80"]]);
            let held = node.add(&pod("a"), START).unwrap();
            node.add(&pod("b"), START).unwrap();
            fs::remove_dir_all(node.path(folder)).unwrap();
            if is_file {
                fs::write(node.path(folder), "").unwrap();
            }
            let freed = node.del(&pod("a"), START).unwrap();
            assert_eq!(node.del(&pod("a"), START).unwrap().len(), 0, "{case}");
            if folder == "addresses" {
                assert!(freed.is_empty(), "{case}: none is known");
            } else {
                assert_eq!(freed, held, "{case}");
                assert_eq!(node.inventory().held.len(), 2, "{case}");
                node.retain_only(&BTreeSet::new(), START, Interruption::None)
                    .unwrap();
                assert_eq!(node.inventory().held.len(), 0, "{case}: GC");
            }
            if is_file {
                let error = node.add(&pod("c"), START).unwrap_err().to_string();
                assert!(error.contains(&format!("net/{folder}")), "{case}: {error}");
                fs::remove_file(node.path(folder)).unwrap();
            }
            node.add(&pod("c"), START).unwrap();
            node.add(&pod("d"), START).unwrap();
        }
    }
}

#[test]
fn freed_address_keeps_its_cool_down_if_the_folder_was_lost() {
    let node = node();
    node.add(&pod("a"), START).unwrap();
    fs::remove_dir_all(node.path("freed")).unwrap();
    node.del(&pod("a"), START).unwrap();
    assert_eq!(node.freed_at(ip("10.9.1.2")), Some(START));
}
