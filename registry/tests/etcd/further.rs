//! A node that claims further subnets and gives them back.

use std::cell::Cell;
use std::path::Path;

use crate::support::etcd::Etcd;
use crate::support::proxy::{Proxy, ProxyFault};
use crate::support::{
    MACHINE, OTHER_MACHINE, claims, conf_of, fast_policy, net, node, presence, until,
};
use ipnet::IpNet;
use registry::owned::{NodeClaims, Owned, shortage};
use registry::{Error, Registry};
use tokio::task::JoinSet;
use wire::conf::IpamConfig;

/// Four subnets of IPv4.
const POD_CIDR: &str = "10.9.0.0/22";

fn small(etcd: &Etcd) -> IpamConfig {
    conf_of(&[&etcd.endpoint()], &[(POD_CIDR, 24), ("fd00::/64", 80)])
}

fn open(conf: &IpamConfig, folder: &Path) -> Registry {
    Registry::open_with(conf, folder, fast_policy())
}

async fn ensure(conf: &IpamConfig, folder: &Path, name: &str) -> Owned {
    let registry = open(conf, folder);
    let name = node(name);
    claims(&registry, folder, &name).ensure(conf).await.unwrap()
}

async fn renew(conf: &IpamConfig, folder: &Path) -> Result<Owned, Error> {
    let (registry, name) = (open(conf, folder), node("a"));
    claims(&registry, folder, &name).renew().await
}

async fn further(
    conf: &IpamConfig,
    folder: &Path,
    name: &str,
    seen: &[IpNet],
) -> Result<Owned, Error> {
    let (registry, pod_cidr) = (open(conf, folder), net(POD_CIDR));
    let name = node(name);
    claims(&registry, folder, &name)
        .further(&pod_cidr, seen)
        .await
}

async fn give_back(conf: &IpamConfig, folder: &Path, subnet: &IpNet) -> Result<bool, Box<Error>> {
    let registry = open(conf, folder);
    let unused = |unlist: &dyn Fn() -> Result<(), Error>| Ok(unlist().map(|()| true)?);
    let name = node("a");
    claims(&registry, folder, &name)
        .give_back(subnet, unused)
        .await
}

#[tokio::test]
async fn further_subnet_is_appended_and_claimed_once_by_many() {
    let etcd = Etcd::start();
    let (conf, folder) = (small(&etcd), tempfile::tempdir().unwrap());
    let first = ensure(&conf, folder.path(), "a").await.subnets;
    let mut tasks = JoinSet::new();
    for _ in 0..8 {
        let (conf, folder, seen) = (conf.clone(), folder.path().to_owned(), first.clone());
        tasks.spawn(async move { further(&conf, &folder, "a", &seen).await.unwrap().subnets });
    }
    let all = tasks.join_all().await;
    assert!(all.iter().all(|subnets| *subnets == all[0]), "{all:?}");
    assert_eq!(all[0].len(), 3);
    assert_eq!(all[0][..2], first, "the order is kept");
    let (conf, folder) = (&conf, folder.path());
    assert_eq!(Owned::load(folder).unwrap().unwrap().subnets, all[0]);
    let again = renew(conf, folder).await;
    assert_eq!(again.unwrap().subnets, all[0], "renewing keeps the order");
}

#[tokio::test]
async fn claim_of_a_killed_process_is_adopted() {
    let etcd = Etcd::start();
    let (conf, folder) = (small(&etcd), tempfile::tempdir().unwrap());
    let first = ensure(&conf, folder.path(), "a").await.subnets;
    let registry = open(&conf, folder.path());
    let lost = registry.claim(&node("a"), MACHINE, &net(POD_CIDR)).await;
    let found = further(&conf, folder.path(), "a", &first).await.unwrap();
    assert_eq!(found.subnets.last(), Some(&lost.unwrap()));
    assert_eq!(etcd.keys("/flatland/blue/subnets/").await.len(), 3);
}

#[tokio::test]
async fn shortage_is_noted_with_the_owners_until_it_ends() {
    let etcd = Etcd::start();
    let (conf, folder) = (small(&etcd), tempfile::tempdir().unwrap());
    let mut seen = ensure(&conf, folder.path(), "a").await.subnets;
    let other = tempfile::tempdir().unwrap();
    let others = ensure(&conf, other.path(), "b").await.subnets;
    for _ in 0..2 {
        seen = further(&conf, folder.path(), "a", &seen)
            .await
            .unwrap()
            .subnets;
    }
    let error = further(&conf, folder.path(), "a", &seen).await.unwrap_err();
    assert_eq!(error.code(), 101);
    for part in ["all 4 subnets", POD_CIDR, "3 by a", "1 by b"] {
        assert!(error.message().contains(part), "{error}");
    }
    let noted = shortage::read(folder.path());
    assert_eq!(noted[&net(POD_CIDR)], error.message());
    assert_eq!(noted.len(), 1, "the other family has enough");

    let registry = open(&conf, other.path());
    let b = node("b");
    registry.release(&b, MACHINE, &others[0]).await.unwrap();
    further(&conf, folder.path(), "a", &seen).await.unwrap();
    assert!(shortage::read(folder.path()).is_empty());
}

#[tokio::test]
async fn give_back_updates_the_file_first_and_keeps_the_first_subnet() {
    let etcd = Etcd::start();
    let (conf, folder) = (small(&etcd), tempfile::tempdir().unwrap());
    let (conf, folder) = (&conf, folder.path());
    let first = ensure(conf, folder, "a").await.subnets;
    let grown = further(conf, folder, "a", &first).await.unwrap().subnets;
    let further = grown[2];
    for stays in [&first[0], &first[1], &net("10.9.9.0/24")] {
        assert!(!give_back(conf, folder, stays).await.unwrap(), "{stays}");
    }

    let registry = open(conf, folder);
    let name = node("a");
    let claims = claims(&registry, folder, &name);
    let in_use = |_: &dyn Fn() -> Result<(), Error>| Ok::<_, Box<Error>>(false);
    let kept = claims.give_back(&further, in_use).await;
    assert!(!kept.unwrap(), "the subnet is in use");
    assert_eq!(Owned::load(folder).unwrap().unwrap().subnets, grown);

    let file = Cell::new(None);
    let unused = |unlist: &dyn Fn() -> Result<(), Error>| {
        unlist()?;
        file.set(Owned::load(folder)?);
        Ok::<_, Box<Error>>(true)
    };
    let gone = claims.give_back(&further, unused).await;
    assert!(gone.unwrap());
    assert_eq!(file.take().unwrap().subnets, first);
    assert_eq!(etcd.keys("/flatland/blue/subnets/").await.len(), 2);
}

#[tokio::test]
async fn machine_that_lost_its_name_gives_nothing_back() {
    let etcd = Etcd::start();
    let (conf, folder) = (small(&etcd), tempfile::tempdir().unwrap());
    let (conf, folder) = (&conf, folder.path());
    let first = ensure(conf, folder, "a").await.subnets;
    let grown = further(conf, folder, "a", &first).await.unwrap().subnets;
    let registry = open(conf, folder);
    let elsewhere = tempfile::tempdir().unwrap();
    let name = node("a");
    let other = NodeClaims {
        machine: OTHER_MACHINE,
        ..claims(&registry, elsewhere.path(), &name)
    };
    let taken = other.renew().await;
    assert_eq!(taken.unwrap().subnets.len(), 3);
    let _present = registry.keep_presence(&node("a"), OTHER_MACHINE, presence("s1"));
    until("the other machine's presence", || async {
        let snapshot = registry.snapshot().await.unwrap();
        snapshot.presence.get(&node("a")).cloned()
    })
    .await;
    let error = give_back(conf, folder, &grown[2]).await.unwrap_err();
    assert!(matches!(*error, Error::NodeTaken { .. }), "{error}");
    assert_eq!(etcd.keys("/flatland/blue/subnets/").await.len(), 3);
}

/// Gives `subnet` back in a process that is killed while its transaction is in flight.
async fn give_back_and_die(conf: &IpamConfig, folder: &Path, subnet: IpNet, proxy: &Proxy) {
    let key = format!("/flatland/blue/subnets/{}-24", subnet.addr());
    // Only the condition of the transaction has the key in this field (the third of etcd's
    // Compare).
    let length = char::from(u8::try_from(key.len()).unwrap());
    proxy.arm(&format!("\u{1a}{length}{key}"), ProxyFault::Delay);
    let (conf, folder) = (conf.clone(), folder.to_owned());
    let process = tokio::spawn(async move { give_back(&conf, &folder, &subnet).await });
    proxy.fault().await;
    process.abort();
    assert!(process.await.unwrap_err().is_cancelled());
}

#[tokio::test]
async fn late_release_of_an_adopted_subnet_fails() {
    for renews in [true, false] {
        let etcd = Etcd::start();
        let proxy = Proxy::to(etcd.address()).await;
        let (conf, folder) = (small(&etcd), tempfile::tempdir().unwrap());
        let (conf, folder) = (&conf, folder.path());
        let slow = conf_of(&[&proxy.endpoint()], &[(POD_CIDR, 24), ("fd00::/64", 80)]);
        let first = ensure(conf, folder, "a").await.subnets;
        let grown = further(conf, folder, "a", &first).await.unwrap().subnets;
        give_back_and_die(&slow, folder, grown[2], &proxy).await;
        assert_eq!(Owned::load(folder).unwrap().unwrap().subnets, first);

        let again = if renews {
            renew(conf, folder).await
        } else {
            further(conf, folder, "a", &first).await
        };
        assert_eq!(again.unwrap().subnets, grown, "it is adopted");
        let before = etcd.requests();
        proxy.deliver();
        until("the release", || async {
            (etcd.requests() > before).then_some(())
        })
        .await;

        let claims = open(conf, folder).snapshot().await.unwrap().subnets;
        assert_eq!(claims[&grown[2]].node, node("a"));
    }
}

#[tokio::test]
async fn late_release_before_a_renewal_is_seen_by_it() {
    let etcd = Etcd::start();
    let proxy = Proxy::to(etcd.address()).await;
    let (conf, folder) = (small(&etcd), tempfile::tempdir().unwrap());
    let (conf, folder) = (&conf, folder.path());
    let slow = conf_of(&[&proxy.endpoint()], &[(POD_CIDR, 24), ("fd00::/64", 80)]);
    let first = ensure(conf, folder, "a").await.subnets;
    let grown = further(conf, folder, "a", &first).await.unwrap().subnets;
    give_back_and_die(&slow, folder, grown[2], &proxy).await;
    proxy.deliver();
    until("the release", || async {
        let claims = etcd.keys("/flatland/blue/subnets/").await;
        (claims.len() == 2).then_some(())
    })
    .await;
    let renewed = renew(conf, folder).await;
    assert_eq!(renewed.unwrap().subnets, first);
}

#[tokio::test]
async fn node_that_can_claim_nothing_drops_lost_subnets() {
    let etcd = Etcd::start();
    let (conf, folder) = (small(&etcd), tempfile::tempdir().unwrap());
    let (conf, folder) = (&conf, folder.path());
    let owned = ensure(conf, folder, "a").await.subnets;
    for third in 0..4 {
        let key = format!("/flatland/blue/subnets/10.9.{third}.0-24");
        etcd.put(&key, r#"{"node":"b"}"#).await;
    }
    let error = renew(conf, folder).await;
    let error = error.unwrap_err();
    assert!(error.message().contains("4 by b"), "{error}");
    let left = Owned::load(folder).unwrap().unwrap().subnets;
    assert_eq!(left, owned[1..], "it still owns the other family's");
}

#[tokio::test]
async fn machine_whose_name_is_taken_drops_all_subnets() {
    let etcd = Etcd::start();
    let (conf, folder) = (small(&etcd), tempfile::tempdir().unwrap());
    let (conf, folder) = (&conf, folder.path());
    let owned = ensure(conf, folder, "a").await.subnets;
    let theirs = format!(r#"{{"machineId":"{OTHER_MACHINE}"}}"#);
    etcd.put("/flatland/blue/nodes/a", &theirs).await;
    etcd.put("/flatland/blue/presence/a", r#"{"session":"1"}"#)
        .await;
    let seen = owned.clone();
    let error = further(conf, folder, "a", &seen).await.unwrap_err();
    assert!(matches!(error, Error::NodeTaken { .. }), "{error}");
    assert_eq!(Owned::load(folder).unwrap().unwrap().subnets, []);
    assert_eq!(etcd.keys("/flatland/blue/subnets/").await.len(), 2);
}
