//! Tests against the kernel, each in its own network namespace.

use std::net::Ipv4Addr;
use std::thread;

use nix::sched::{CloneFlags, unshare};
use wire::nft::{IpVersion, NftCommand, NftSet, SetListing, TableFamily, TableId};
use wire::spoof_guard;

use super::*;

/// Runs `test` in its own network namespace.
fn isolated(test: impl FnOnce() + Send + 'static) {
    let isolated = thread::spawn(|| {
        unshare(CloneFlags::CLONE_NEWNET).expect("tests need root, or `unshare -Urn` around them");
        test();
    });
    isolated.join().unwrap();
}

fn config() -> FirewallConfig {
    FirewallConfig {
        masquerade: true,
        pod_cidrs: vec!["10.244.0.0/16".parse().unwrap()],
        direct: vec![],
    }
}

fn firewall() -> Firewall {
    let mut firewall = Firewall::new(config());
    firewall.set_owned(&["10.244.7.0/24".parse().unwrap()]);
    firewall
}

/// Runs all passes that are due, without waiting for the pauses.
fn run_passes(firewall: &mut Firewall) {
    let mut now = Instant::now();
    while let Some(due) = firewall.pass_at() {
        now = now.max(due);
        firewall.run_due(now);
    }
}

/// Passes the events since the last call to the firewall. Returns the number of changes.
fn drain_events(monitor: &mut NftMonitor, firewall: &mut Firewall) -> usize {
    let mut changes = 0;
    firewall.hide_from(monitor);
    monitor
        .drain(|change| {
            changes += usize::from(matches!(change, RulesetChange::Changed { .. }));
            firewall.ruleset_changed(change);
        })
        .unwrap();
    changes
}

fn number(n: u16) -> IpAddr {
    let [high, low] = n.to_be_bytes();
    Ipv4Addr::new(192, 168, high, low).into()
}

fn nodes_in_kernel() -> SetListing {
    let (image, _) = NftSocket::open()
        .unwrap()
        .table(&spoof_guard::table())
        .unwrap();
    image.unwrap().sets["nodes4"].clone()
}

fn elements(addresses: impl IntoIterator<Item = IpAddr>) -> SetListing {
    let set = NftSet::of_addresses("nodes4", IpVersion::V4, addresses);
    SetListing {
        elements: set.elements(),
        ..nodes_in_kernel()
    }
}

#[test]
fn join_costs_one_set_element() {
    isolated(|| {
        let mut firewall = firewall();
        firewall.nodes((0..5_000).map(number), true);
        run_passes(&mut firewall);
        let mut monitor = NftMonitor::open().unwrap();

        firewall.nodes_changed(&[], &[number(5_000)], true);
        run_passes(&mut firewall);
        firewall.nodes_changed(&[number(1)], &[], true);
        run_passes(&mut firewall);

        // A second monitor, because the firewall ignores its own changes.
        let mut changes = 0;
        let count = |change: RulesetChange<'_>| {
            changes += usize::from(matches!(change, RulesetChange::Changed { .. }));
        };
        monitor.drain(count).unwrap();
        assert_eq!(changes, 2);
        let expected = (0..=5_000).filter(|n| *n != 1).map(number);
        assert_eq!(nodes_in_kernel(), elements(expected));
    });
}

#[test]
fn changes_of_other_tables_cause_no_pass() {
    isolated(|| {
        let mut monitor = NftMonitor::open().unwrap();
        let mut firewall = firewall();
        run_passes(&mut firewall);
        let mut other = ruleset::ruleset(&config(), &[], &[]);
        other.id = TableId::new(TableFamily::Ip, "kube-proxy");
        other.chains.clear();

        let mut socket = NftSocket::open().unwrap();
        socket.apply(&other.replace_commands(), None).unwrap();

        assert!(drain_events(&mut monitor, &mut firewall) > 0);
        assert_eq!(firewall.pass_at(), None);
    });
}

#[test]
fn own_changes_cause_no_events() {
    isolated(|| {
        let mut monitor = NftMonitor::open().unwrap();
        let mut firewall = firewall();
        run_passes(&mut firewall);
        assert_eq!(drain_events(&mut monitor, &mut firewall), 0);
    });
}

#[test]
fn deleted_table_is_restored_in_one_pass() {
    isolated(|| {
        let mut monitor = NftMonitor::open().unwrap();
        let mut firewall = firewall();
        firewall.nodes([number(1)].into_iter(), true);
        run_passes(&mut firewall);
        let mut socket = NftSocket::open().unwrap();
        let (before, _) = socket.table(&spoof_guard::table()).unwrap();

        let delete = NftCommand::DelTable(spoof_guard::table());
        socket.apply(&[delete], None).unwrap();
        drain_events(&mut monitor, &mut firewall);
        run_passes(&mut firewall);

        assert_eq!(socket.table(&spoof_guard::table()).unwrap().0, before);
    });
}

#[test]
fn node_sets_of_earlier_daemon_stay_until_registry_seen() {
    isolated(|| {
        let mut before = firewall();
        before.nodes((1..=3).map(number), true);
        run_passes(&mut before);

        let mut after = firewall();
        run_passes(&mut after);
        assert_eq!(nodes_in_kernel(), elements((1..=3).map(number)));

        after.nodes((2..=4).map(number), true);
        run_passes(&mut after);
        assert_eq!(nodes_in_kernel(), elements((2..=4).map(number)));
    });
}

#[test]
fn node_is_ready_once_masquerading_is_in_place() {
    isolated(|| {
        let mut firewall = firewall();
        assert!(!firewall.is_ready());
        run_passes(&mut firewall);
        assert!(firewall.is_ready());
    });
    let config = FirewallConfig {
        masquerade: false,
        ..config()
    };
    assert!(Firewall::new(config).is_ready());
}
