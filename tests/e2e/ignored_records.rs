//! Wrong or hostile records in etcd: each is ignored, logged once, and never becomes a route.

use std::collections::BTreeSet;

use lab::{DEADLINE, Families, Lab, Result, wait_until};
use nix::sys::signal::Signal;

const PREFIX: &str = "/flatland/flatland";

/// The most additional memory for a flood of bogus keys, in KiB.
const MAX_FLOOD_MEMORY: u64 = 6 * 1024;

fn put(lab: &Lab, key: &str, value: &str) -> Result {
    let key = format!("{PREFIX}/{key}");
    lab.etcd()[0].ctl(&["put", &key, value]).map(drop)
}

/// Invalid next hops for node 192.168.1.11: each with a subnet of its peer, and a part of the log
/// message.
const INVALID_NEXT_HOPS: [(&str, &str, &str); 13] = [
    ("192.168.1.11", "10.244.201.0-24", "an address of this node"),
    ("127.0.0.1", "10.244.202.0-24", "a loopback address"),
    ("224.0.0.9", "10.244.203.0-24", "a multicast address"),
    (
        "10.244.3.3",
        "10.244.204.0-24",
        "inside the pod CIDR 10.244.0.0/16",
    ),
    ("0.0.0.0", "10.244.205.0-24", "the unspecified address"),
    (
        "255.255.255.255",
        "10.244.206.0-24",
        "a broadcast or network address",
    ),
    (
        "192.168.1.255",
        "10.244.207.0-24",
        "a broadcast or network address",
    ),
    (
        "240.0.0.1",
        "10.244.208.0-24",
        "an address that no host has",
    ),
    ("172.31.9.9", "10.244.209.0-24", "on no connected link"),
    ("::1", "fd00:10:244:0:201::-80", "a loopback address"),
    ("ff02::1", "fd00:10:244:0:202::-80", "a multicast address"),
    ("fe80::7", "fd00:10:244:0:203::-80", "a link-local address"),
    (
        "fd00:10:244::9",
        "fd00:10:244:0:204::-80",
        "inside the pod CIDR fd00:10:244::/56",
    ),
];

/// Records that are ignored, by key and value.
const INVALID_RECORDS: [(&str, &str); 9] = [
    ("nodes/broken", "{"),
    ("nodes/UPPER", "{}"),
    ("nodes/many", "MANY"),
    ("subnets/10.244.210.0-24", "nonsense"),
    ("subnets/10.244.0.0-16", r#"{"node":"n2"}"#),
    ("subnets/10.244.211.128-25", r#"{"node":"n2"}"#),
    ("subnets/0.0.0.0-0", r#"{"node":"n2"}"#),
    ("subnets/10.99.0.0-24", r#"{"node":"n2"}"#),
    ("routes/10.244.0.0-16", "x"),
];

#[test]
fn wrong_records_never_become_routes_and_are_logged_once() -> Result {
    let lab = Lab::builder().nodes(2).families(Families::Dual).start()?;
    lab.start_routed()?;
    lab.wait_routes()?;
    let node = lab.node(1);
    let all = || -> Result<BTreeSet<String>> { Ok(node.routes()?.into_iter().collect()) };
    let before = all()?;

    let write = || -> Result {
        for (key, value) in INVALID_RECORDS {
            let many = format!(
                r#"{{"addresses":[{}"192.168.1.9"],"machineId":"m"}}"#,
                r#""192.168.1.9","#.repeat(300)
            );
            put(&lab, key, if value == "MANY" { &many } else { value })?;
        }
        for (number, (address, subnet, _)) in INVALID_NEXT_HOPS.iter().enumerate() {
            let record = format!(r#"{{"addresses":["{address}"],"machineId":"m{number}"}}"#);
            put(&lab, &format!("nodes/e{number}"), &record)?;
            let claim = format!(r#"{{"node":"e{number}"}}"#);
            put(&lab, &format!("subnets/{subnet}"), &claim)?;
        }
        put(&lab, "subnets/10.244.220.0-24", r#"{"node":"nobody"}"#)
    };
    write()?;
    let logged = || {
        let nonsense = INVALID_RECORDS
            .iter()
            .map(|(key, _)| format!("ignored {key} in the registry"));
        let hops = INVALID_NEXT_HOPS.iter().enumerate();
        let hops =
            hops.map(|(number, (address, _, why))| format!(": e{number} gives {address} ({why}"));
        let unclaimed = "unknown peer: nobody claims 10.244.220.0/24".to_owned();
        let expected = nonsense.chain(hops).chain([unclaimed]);
        expected
            .map(|text| (node.count_logged(&text), text))
            .collect::<Vec<_>>()
    };
    wait_until("all of them named", DEADLINE, || {
        logged().iter().all(|(times, _)| *times > 0)
    })
    .map_err(|error| error.doing(format!("{:?}", logged())))?;
    assert_eq!(all()?, before);

    // The same records again are not logged again.
    write()?;
    put(&lab, "nodes/last", "{")?;
    node.wait_log("ignored nodes/last")?;
    for (times, text) in logged() {
        assert_eq!(times, 1, "{text}\n{}", node.routed_log());
    }
    assert_eq!(all()?, before);
    assert!(node.ready() && node.routed_runs());

    // A daemon that starts with these records has the same routes.
    node.end_routed(Signal::SIGTERM)?;
    node.start_routed()?;
    node.wait_log("ignored nodes/last")?;
    wait_until("the same routes", DEADLINE, || {
        all().is_ok_and(|now| now == before)
    })
}

#[test]
fn flood_of_100000_bogus_keys_does_not_hinder_nodes() -> Result {
    let lab = Lab::builder().nodes(3).families(Families::V4).start()?;
    lab.etcd()[0].allow_large_transactions()?;
    let [one, two, three] = [lab.node(1), lab.node(2), lab.node(3)];
    one.start_routed()?;
    two.start_routed()?;
    let before = one.routed_memory()?;
    let bogus = |number: usize| {
        let (key, value) = match number % 4 {
            0 => (format!("x/{number}"), "x"),
            1 => (format!("nodes/N{number}"), "{}"),
            2 => (
                format!("subnets/11.{}.{}.0-24", number / 256 % 256, number % 256),
                r#"{"node":"n1"}"#,
            ),
            _ => (format!("presence/p{number}"), "nonsense"),
        };
        (format!("{PREFIX}/{key}"), value.to_owned())
    };
    let keys: Vec<_> = (0..100_000).map(bogus).collect();
    lab.etcd()[0].put_all(&keys)?;

    // One node has seen them appear, one starts with them.
    three.start_routed()?;
    lab.wait_routes()?;
    let after = one.routed_memory()?;
    assert!(
        after < before + MAX_FLOOD_MEMORY,
        "{before} KiB before, {after} after"
    );
    let fresh = three.routed_peak_memory()?;
    assert!(
        fresh < before + MAX_FLOOD_MEMORY,
        "{before} KiB before, {fresh} at most"
    );
    for node in [one, three] {
        let lines = node.count_logged("in the registry");
        assert!(
            (1..=5).contains(&lines),
            "{lines} lines: {}",
            node.routed_log()
        );
        assert!(node.ready());
    }

    // Changes arrive as before.
    three.end_routed(Signal::SIGTERM)?;
    let key = format!(
        "{PREFIX}/subnets/{}",
        three.owned_subnets()?[0].replace('/', "-")
    );
    let routes = one.routes()?.len();
    lab.etcd()[0].ctl(&["del", &key])?;
    wait_until("withdrawal", DEADLINE, || {
        one.routes().is_ok_and(|now| now.len() == routes - 1)
    })
}
