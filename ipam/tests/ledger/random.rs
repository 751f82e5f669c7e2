//! Random sequences of operations, each completed, killed or out of disk space, on a damaged disk
//! or not: no address has two owners, none is lost, and the order of reuse is kept.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::net::IpAddr;
use std::time::Duration;

use crate::common::{Interruption, pod};
use crate::model::{CAPACITY, FURTHER, FURTHER_CAPACITY, Model, PODS, POOLS, name};
use ipam::{Error, Unavailable};
use proptest::collection::vec;
use proptest::prelude::*;

#[derive(Debug, Clone, Copy)]
enum Act {
    Add(u8, Interruption),
    /// ADD with a requested address.
    Name(u8, u8, Interruption),
    Del(u8, Interruption),
    /// GC for the pods whose bit is set.
    Keep(u8, Interruption),
    Grow,
    GiveBack(Interruption),
    Wait(u8),
    LoseQueues,
    TearQueues(u8),
    GarbleQueues(u8),
    /// Another program removes a folder of the ledger, all of it, or all files in it.
    Wipe(u8),
    /// `routed` adds what is lost.
    Restore(Interruption),
}

fn fault() -> impl Strategy<Value = Interruption> {
    prop_oneof![
        3 => Just(Interruption::None),
        2 => (0..16_u32).prop_map(Interruption::Kill),
        1 => (0..16_u32).prop_map(Interruption::DiskFull),
        1 => (0..6_u32).prop_map(Interruption::Tight),
    ]
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        10 => (0..PODS, fault()).prop_map(|(who, fault)| Act::Add(who, fault)),
        3 => (0..PODS, 0..24_u8, fault()).prop_map(|(who, at, fault)| Act::Name(who, at, fault)),
        10 => (0..PODS, fault()).prop_map(|(who, fault)| Act::Del(who, fault)),
        2 => (any::<u8>(), fault()).prop_map(|(pods, fault)| Act::Keep(pods, fault)),
        2 => Just(Act::Grow),
        2 => fault().prop_map(Act::GiveBack),
        5 => (0..150_u8).prop_map(Act::Wait),
        1 => Just(Act::LoseQueues),
        1 => (1..64_u8).prop_map(Act::TearQueues),
        1 => any::<u8>().prop_map(Act::GarbleQueues),
        1 => (0..6_u8).prop_map(Act::Wipe),
        1 => fault().prop_map(Act::Restore),
    ]
}

impl Model {
    fn act(&mut self, act: Act) {
        let pods = self.held.iter();
        let running = pods.flat_map(|(who, held)| held.iter().map(|it| (*it, name(*who))));
        *self.node.running.lock().unwrap() = running.collect();
        match act {
            Act::Add(who, fault) => self.add(who, &[], fault),
            Act::Name(who, at, fault) => self.add(who, &[named(at)], fault),
            Act::Del(who, fault) => self.del(who, fault),
            Act::Keep(pods, fault) => self.keep(pods, fault),
            Act::Grow => self.grow(),
            Act::GiveBack(fault) => self.give_back(fault),
            Act::Wait(seconds) => self.now += Duration::from_secs(seconds.into()),
            Act::LoseQueues => self.each_queue(|path| fs::remove_file(path).unwrap()),
            Act::TearQueues(bytes) => self.each_queue(|path| {
                let torn = "x".repeat(bytes.into());
                let mut file = OpenOptions::new().append(true).open(path).unwrap();
                file.write_all(torn.as_bytes()).unwrap();
            }),
            Act::GarbleQueues(at) => self.each_queue(|path| {
                let mut content = fs::read(path).unwrap();
                let at = usize::from(at) % content.len();
                content[at] = b'x';
                fs::write(path, content).unwrap();
            }),
            Act::Wipe(what) => self.wipe(what),
            Act::Restore(fault) => self.restore(fault),
        }
        self.check();
    }

    fn wipe(&mut self, what: u8) {
        let folders = ["", "addresses", "attachments", "freed", "queues"];
        let remove = |path: std::path::PathBuf| match fs::remove_dir_all(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => panic!("{error}"),
            _ => {}
        };
        match folders.get(usize::from(what)) {
            Some(folder) => remove(self.node.path(folder)),
            // All files, but no folder.
            None => folders[1..].iter().for_each(|folder| {
                let path = self.node.path(folder);
                if path.is_dir() {
                    remove(path.clone());
                    fs::create_dir(path).unwrap();
                }
            }),
        }
        self.is_wiped = true;
        self.has_discarded = true;
    }

    fn restore(&mut self, fault: Interruption) {
        let before = self.owners();
        match self.node.restore(fault) {
            Ok(_) => self.is_wiped = false,
            Err(error) => assert_ne!(fault, Interruption::None, "{error}"),
        }
        assert_eq!(self.owners(), before);
    }

    fn each_queue(&self, change: impl Fn(&std::path::Path)) {
        let folder = self.node.path("queues");
        let Ok(entries) = fs::read_dir(folder) else {
            return;
        };
        entries.for_each(|entry| change(&entry.unwrap().path()));
    }

    fn add(&mut self, who: u8, fixed: &[IpAddr], fault: Interruption) {
        let before = self.owners();
        let ready = self.ready();
        self.has_discarded |= matches!(fault, Interruption::DiskFull(_) | Interruption::Tight(_))
            && !self.freed().is_empty();
        match self.node.add_with(&name(who), fixed, self.now, fault) {
            Ok(addresses) => {
                assert_eq!(addresses.len(), POOLS.len());
                assert!(
                    !self.held.contains_key(&who),
                    "{who} got a second set of addresses"
                );
                for address in &addresses {
                    assert!(
                        !before.contains_key(address),
                        "{address} was handed out twice"
                    );
                    let choice = ready.iter().any(|it| it.is_ipv4() == address.is_ipv4());
                    assert!(
                        ready.contains(address)
                            || !choice
                            || fixed.contains(address)
                            || self.has_discarded,
                        "{address} is still cooling down: {ready:?}"
                    );
                    assert!(!self.node.exclude.iter().any(|net| net.contains(address)));
                }
                assert!(fixed.iter().all(|address| addresses.contains(address)));
                self.held.insert(who, addresses);
                self.unsure.remove(&who);
            }
            Err(Error::Held { address, .. }) => assert_eq!(before.get(&address), Some(&who)),
            Err(Error::Exhausted { subnets, damaged }) => {
                assert_eq!(damaged, Vec::<std::path::PathBuf>::new());
                let family = |address: &&IpAddr| subnets[0].addr().is_ipv4() == address.is_ipv4();
                let more = subnets[0].addr().is_ipv4() && self.has_grown();
                let capacity = CAPACITY + if more { FURTHER_CAPACITY } else { 0 };
                assert_eq!(before.keys().filter(family).count(), capacity);
                assert_eq!(self.owners(), before, "a failed ADD changed something");
            }
            Err(Error::Unavailable { address, obstacle }) => {
                let held = matches!(obstacle, Unavailable::Held(_));
                assert_eq!(
                    (&[address][..], held),
                    (fixed, before.contains_key(&address))
                );
                assert!(held || !ready.contains(&address), "{address}: {obstacle}");
                assert_eq!(self.owners(), before, "a failed ADD changed something");
            }
            Err(error) => match fault {
                Interruption::None => panic!("{error}"),
                Interruption::DiskFull(_) | Interruption::Tight(_) => {
                    assert_eq!(self.owners(), before, "a failed ADD: {error}");
                    let freed = self.freed();
                    // What this ADD itself had allocated may be among them.
                    assert!(freed.len() <= 1, "{freed:?} are freed, but {error}");
                }
                Interruption::Kill(_) if self.held.contains_key(&who) => {}
                Interruption::Kill(_) => drop(self.unsure.insert(who)),
            },
        }
    }

    fn del(&mut self, who: u8, fault: Interruption) {
        self.held.remove(&who);
        match self.node.del_with(&name(who), self.now, fault) {
            Ok(freed) => {
                self.unsure.remove(&who);
                for address in freed {
                    let at = self.node.freed_at(address);
                    let has_room =
                        !matches!(fault, Interruption::DiskFull(_) | Interruption::Tight(_));
                    assert!(
                        at == Some(self.now) || at.is_none() && !has_room,
                        "{address}"
                    );
                }
            }
            Err(error) => {
                assert!(matches!(fault, Interruption::Kill(_)), "{error}");
                self.unsure.insert(who);
            }
        }
    }

    fn grow(&mut self) {
        if !self.has_grown() {
            self.node.pools[0].push(FURTHER.parse().unwrap());
        }
    }

    fn give_back(&mut self, fault: Interruption) {
        if !self.has_grown() {
            return;
        }
        let subnet: ipnet::IpNet = FURTHER.parse().unwrap();
        let is_used = self.owners().keys().any(|it| subnet.contains(it));
        self.used(&subnet);
        let (result, unlisted) = self.node.release_subnet(&subnet, fault);
        assert!(!(unlisted && is_used), "{subnet} is in use");
        match result {
            Ok(gone) => assert_eq!((gone, unlisted), (!is_used, !is_used)),
            Err(error) => assert_ne!(fault, Interruption::None, "{error}"),
        }
        if unlisted {
            self.node.pools[0].pop();
        }
    }

    fn keep(&mut self, pods: u8, fault: Interruption) {
        let valid: BTreeSet<u8> = (0..PODS).filter(|who| pods >> who & 1 == 1).collect();
        let gone = (0..PODS).filter(|who| !valid.contains(who));
        let held: Vec<u8> = gone.filter(|who| self.held.remove(who).is_some()).collect();
        let names = valid.iter().map(|who| name(*who)).collect();
        match self.node.retain_only(&names, self.now, fault) {
            Ok(_) => self.unsure.retain(|who| valid.contains(who)),
            Err(error) => {
                assert!(matches!(fault, Interruption::Kill(_)), "{error}");
                self.unsure.extend(held);
            }
        }
    }

    /// Deletes all pods; then every address must be free again.
    fn finish(mut self) {
        self.node.running.lock().unwrap().clear();
        for who in 0..PODS {
            self.del(who, Interruption::None);
        }
        assert_eq!((self.taken().len(), self.node.links()), (0, Vec::new()));
        self.give_back(Interruption::None);
        assert!(!self.has_grown(), "an empty subnet stays");
        for subnet in self.node.pools.concat() {
            assert_eq!(self.used(&subnet), 0, "{subnet}");
        }
        let mut seen = BTreeSet::new();
        for number in 0..CAPACITY {
            let addresses = self
                .node
                .add(&pod(&format!("new{number}")), self.now)
                .unwrap();
            assert!(addresses.into_iter().all(|address| seen.insert(address)));
        }
        let error = self.node.add(&pod("one-too-many"), self.now).unwrap_err();
        assert!(matches!(error, Error::Exhausted { .. }), "{error}");
    }
}

/// An address in or near the subnets.
fn named(at: u8) -> IpAddr {
    if at < 16 {
        IpAddr::from([10, 9, 0, at])
    } else {
        IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 0, u16::from(at - 16)])
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn no_sequence_of_operations_and_crashes_breaks_the_ledger(acts in vec(act(), 1..60)) {
        let mut model = Model::new();
        for act in acts {
            model.act(act);
        }
        model.finish();
    }
}
