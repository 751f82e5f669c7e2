//! The packet filter against the kernel, in a network namespace of each test's own.

use std::net::Ipv4Addr;
use std::thread;

use nix::sched::{CloneFlags, unshare};
use wire::nft::{Command, Family, Set, SetListing, TableId, Version};
use wire::spoof_guard;

use super::*;

/// Runs `test` in a network namespace of its own.
fn isolated(test: impl FnOnce() + Send + 'static) {
    let isolated = thread::spawn(|| {
        unshare(CloneFlags::CLONE_NEWNET).expect("tests need root, or `unshare -Urn` around them");
        test();
    });
    isolated.join().unwrap();
}

fn policy() -> FirewallConfig {
    FirewallConfig {
        masquerade: true,
        pod_cidrs: vec!["10.244.0.0/16".parse().unwrap()],
        direct: vec![],
    }
}

fn firewall() -> Firewall {
    let mut firewall = Firewall::new(policy());
    firewall.set_owned(&["10.244.7.0/24".parse().unwrap()]);
    firewall
}

/// Does all that is due, rests included.
fn work(firewall: &mut Firewall) {
    let mut now = Instant::now();
    while let Some(due) = firewall.pass_at() {
        now = now.max(due);
        firewall.run_due(now);
    }
}

/// What happened since the last call, handed on to the firewall, and how many changes that was.
fn hear(monitor: &mut Monitor, firewall: &mut Firewall) -> usize {
    let mut changes = 0;
    firewall.hide_from(monitor);
    monitor
        .drain(|news| {
            changes += usize::from(matches!(news, RulesetChange::Changed { .. }));
            firewall.ruleset_changed(news);
        })
        .unwrap();
    changes
}

fn number(n: u16) -> IpAddr {
    let [high, low] = n.to_be_bytes();
    Ipv4Addr::new(192, 168, high, low).into()
}

fn nodes_in_kernel() -> SetListing {
    let (image, _) = Socket::open()
        .unwrap()
        .table(&spoof_guard::table())
        .unwrap();
    image.unwrap().sets["nodes4"].clone()
}

fn elements(addresses: impl IntoIterator<Item = IpAddr>) -> SetListing {
    let set = Set::of_addresses("nodes4", Version::V4, addresses);
    SetListing {
        elements: set.elements(),
        ..nodes_in_kernel()
    }
}

#[test]
fn a_join_costs_one_element_however_many_nodes_there_are() {
    isolated(|| {
        let mut firewall = firewall();
        firewall.nodes((0..5_000).map(number), true);
        work(&mut firewall);
        let mut monitor = Monitor::open().unwrap();

        firewall.nodes_changed(&[], &[number(5_000)], true);
        work(&mut firewall);
        firewall.nodes_changed(&[number(1)], &[], true);
        work(&mut firewall);

        // Heard from outside: the firewall itself does not listen to what it does.
        let mut changes = 0;
        let count = |news: RulesetChange<'_>| {
            changes += usize::from(matches!(news, RulesetChange::Changed { .. }));
        };
        monitor.drain(count).unwrap();
        assert_eq!(changes, 2);
        let expected = (0..=5_000).filter(|n| *n != 1).map(number);
        assert_eq!(nodes_in_kernel(), elements(expected));
    });
}

#[test]
fn what_others_do_to_their_own_tables_costs_nothing() {
    isolated(|| {
        let mut monitor = Monitor::open().unwrap();
        let mut firewall = firewall();
        work(&mut firewall);
        let mut other = ruleset::ruleset(&policy(), &[], &[]);
        other.id = TableId::new(Family::Ip, "kube-proxy");
        other.chains.clear();

        let mut socket = Socket::open().unwrap();
        socket.apply(&other.replace_commands(), None).unwrap();

        assert!(hear(&mut monitor, &mut firewall) > 0);
        assert_eq!(firewall.pass_at(), None);
    });
}

#[test]
fn what_it_does_itself_is_no_news() {
    isolated(|| {
        let mut monitor = Monitor::open().unwrap();
        let mut firewall = firewall();
        work(&mut firewall);
        assert_eq!(hear(&mut monitor, &mut firewall), 0);
    });
}

#[test]
fn a_table_that_is_deleted_is_back_after_one_pass() {
    isolated(|| {
        let mut monitor = Monitor::open().unwrap();
        let mut firewall = firewall();
        firewall.nodes([number(1)].into_iter(), true);
        work(&mut firewall);
        let mut socket = Socket::open().unwrap();
        let (before, _) = socket.table(&spoof_guard::table()).unwrap();

        let delete = Command::DelTable(spoof_guard::table());
        socket.apply(&[delete], None).unwrap();
        hear(&mut monitor, &mut firewall);
        work(&mut firewall);

        assert_eq!(socket.table(&spoof_guard::table()).unwrap().0, before);
    });
}

#[test]
fn nodes_that_an_earlier_daemon_knew_stay_until_the_registry_is_seen() {
    isolated(|| {
        let mut before = firewall();
        before.nodes((1..=3).map(number), true);
        work(&mut before);

        let mut after = firewall();
        work(&mut after);
        assert_eq!(nodes_in_kernel(), elements((1..=3).map(number)));

        after.nodes((2..=4).map(number), true);
        work(&mut after);
        assert_eq!(nodes_in_kernel(), elements((2..=4).map(number)));
    });
}

#[test]
fn a_node_is_ready_once_its_pods_are_masqueraded() {
    isolated(|| {
        let mut firewall = firewall();
        assert!(!firewall.is_ready());
        work(&mut firewall);
        assert!(firewall.is_ready());
    });
    let policy = FirewallConfig {
        masquerade: false,
        ..policy()
    };
    assert!(Firewall::new(policy).is_ready());
}
