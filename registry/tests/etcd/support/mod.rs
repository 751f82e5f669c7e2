//! Shared by the tests: an etcd server, a proxy in front of it, and short constructors.
pub(crate) mod etcd;
pub(crate) mod proxy;
pub(crate) mod tally;

use std::collections::BTreeSet;
use std::future::Future;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use ipnet::IpNet;
use registry::owned::NodeClaims;
use registry::{
    Backoff, Error, NodeRecord, Policy, Presence, Registry, RegistryChange, RegistryEvent, Snapshot,
};
use serde_json::json;
use tokio::sync::mpsc::Receiver;
use tokio::time::{Instant, sleep, timeout};
use wire::conf::IpamConfig;
use wire::node::NodeName;

/// The time-out of everything that a test waits for, generous for a busy machine.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

pub(crate) const MACHINE: &str = "0123456789abcdef0123456789abcdef";
pub(crate) const OTHER_MACHINE: &str = "fedcba9876543210fedcba9876543210";

/// A policy with short pauses and time-outs.
pub(crate) fn fast_policy() -> Policy {
    Policy {
        connect_timeout: Duration::from_secs(1),
        request_timeout: Duration::from_secs(2),
        operation_timeout: Duration::from_secs(10),
        keep_alive: Duration::from_millis(300),
        // A busy machine must not pass for a lost connection.
        keep_alive_timeout: Duration::from_secs(1),
        lease_ttl: Duration::from_secs(1),
        backoff: Backoff {
            first: Duration::from_millis(20),
            most: Duration::from_millis(200),
        },
        // Not within a test, unless it is about that.
        reread_pace: Duration::from_secs(3600),
    }
}

/// A dual-stack network in the etcd at `endpoints`; in the local registry if there are none.
pub(crate) fn conf(endpoints: &[&str]) -> IpamConfig {
    conf_of(
        endpoints,
        &[("10.244.0.0/16", 24), ("fd00:10:244::/56", 80)],
    )
}

pub(crate) fn conf_of(endpoints: &[&str], pools: &[(&str, u8)]) -> IpamConfig {
    let mut ipam = json!({
        "type": "flatland-ipam",
        "podCIDRs": pools.iter().map(|(cidr, _)| cidr).collect::<Vec<_>>(),
        "subnetLengths": pools.iter().map(|(_, length)| length).collect::<Vec<_>>(),
    });
    if !endpoints.is_empty() {
        ipam["etcd"] = json!({ "endpoints": endpoints });
    }
    let entry = json!({ "cniVersion": "1.0.0", "name": "blue", "type": "flatland", "ipam": ipam });
    IpamConfig::parse(&entry).unwrap()
}

pub(crate) fn open(conf: &IpamConfig) -> Registry {
    Registry::open_with(conf, Path::new("/nowhere"), fast_policy())
}

/// Writes the config if it is absent, else compares it: a node comes and is forgotten again.
pub(crate) async fn agree(registry: &Registry) -> Result<(), Error> {
    let first = node("first");
    registry.register(&first, &record(MACHINE, &[])).await?;
    registry.forget(&first, true).await.map(drop)
}

/// The claims of `node` on the machine [`MACHINE`].
pub(crate) fn claims<'a>(
    registry: &'a Registry,
    folder: &'a Path,
    node: &'a NodeName,
) -> NodeClaims<'a> {
    NodeClaims {
        registry,
        folder,
        node,
        machine: MACHINE,
    }
}

pub(crate) fn node(name: &str) -> NodeName {
    name.parse().unwrap()
}

pub(crate) fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

pub(crate) fn record(machine: &str, addresses: &[&str]) -> NodeRecord {
    let addresses: Vec<IpAddr> = addresses.iter().map(|text| text.parse().unwrap()).collect();
    NodeRecord {
        addresses,
        machine_id: machine.to_owned(),
        session: None,
    }
}

pub(crate) fn presence(session: &str) -> Presence {
    Presence {
        session: session.to_owned(),
        address: None,
        version: "0".to_owned(),
        since: None,
    }
}

/// Waits until `condition` returns a value.
pub(crate) async fn until<T, F: Future<Output = Option<T>>>(
    what: &str,
    condition: impl Fn() -> F,
) -> T {
    let began = Instant::now();
    loop {
        if let Some(value) = condition().await {
            return value;
        }
        assert!(began.elapsed() < DEADLINE, "timed out waiting for {what}");
        sleep(Duration::from_millis(10)).await;
    }
}

/// The next event, which must come in time.
pub(crate) async fn event(events: &mut Receiver<RegistryEvent>) -> RegistryEvent {
    let event = timeout(DEADLINE, events.recv()).await;
    event
        .expect("an event comes in time")
        .expect("the watch goes on")
}

/// The next event, which must be a reset.
pub(crate) async fn reset(events: &mut Receiver<RegistryEvent>) -> Snapshot {
    match event(events).await {
        RegistryEvent::Reset(snapshot) => snapshot,
        other => panic!("expected a reset, got {other:?}"),
    }
}

/// The next event, which must be changes.
pub(crate) async fn changes(events: &mut Receiver<RegistryEvent>) -> (i64, Vec<RegistryChange>) {
    match event(events).await {
        RegistryEvent::Changes { revision, changes } => (revision, changes),
        other => panic!("expected changes, got {other:?}"),
    }
}

pub(crate) fn all_differ(subnets: &[IpNet]) -> bool {
    subnets.iter().collect::<BTreeSet<_>>().len() == subnets.len()
}
