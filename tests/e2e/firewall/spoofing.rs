//! The spoof guard: pods that send from addresses that are not theirs.

use std::net::{IpAddr, Ipv6Addr};
use std::time::Instant;

use lab::raw::Datagram;
use lab::{DEADLINE, Families, Lab, Pod, Process, Result, wait_until};
use nix::sys::signal::Signal;
use serde_json::json;

use crate::support::{LAB, capture_in, capture_on, raise, reaches, run, send_frames};

/// The number of packets that the spoof guard dropped for this reason.
fn dropped(pod: &Pod<'_>, reason: &str) -> Result<u64> {
    let listed = run(pod.machine(), "nft list chain inet flatland spoof-guard")?;
    let rule = listed.lines().find(|line| line.contains(reason));
    let count = rule.and_then(|rule| {
        let mut words = rule.split_whitespace();
        words.find(|word| *word == "packets")?;
        words.next()?.parse().ok()
    });
    Ok(count.unwrap_or_default())
}

/// A default of some distributions, which makes the `rp_filter` of host interfaces a loose one.
const LOOSE: &str = "sysctl -qw net.ipv4.conf.all.rp_filter=2";

const FOREIGN: &str = "not the pod's own address";

#[test]
fn packets_of_a_pod_with_a_foreign_source_are_dropped() -> Result {
    let lab = raise(2, Families::Dual, &json!({}))?;
    let [one, two] = [lab.node(1), lab.node(2)];
    run(one, LOOSE)?;
    let (a, b, other) = (one.add_pod("a")?, two.add_pod("b")?, one.add_pod("c")?);
    let (a_own, b_own) = (a.addresses(), b.addresses());

    for (number, (foreign, target)) in [
        ("10.244.250.1".to_owned(), b_own[0]),
        ("fd00:10:244:ff::1".to_owned(), b_own[1]),
        (other.addresses()[0].to_string(), b_own[0]),
        (other.addresses()[1].to_string(), b_own[1]),
        ("192.168.1.77".to_owned(), one.addresses()[0]),
        ("2001:db8::1".to_owned(), one.addresses()[1]),
        (two.addresses()[1].to_string(), one.addresses()[1]),
    ]
    .into_iter()
    .enumerate()
    {
        let before = dropped(&a, FOREIGN)?;
        let ip = |verb: &str| -> Result<String> {
            let nodad: &[&str] = if target.is_ipv6() { &["nodad"] } else { &[] };
            let words = [&["ip", "address", verb, &foreign, "dev", "eth0"], nodad].concat();
            a.run(&words)
        };
        ip("add")?;
        let target = target.to_string();
        let ping = a.try_run(&["ping", "-c1", "-W1", "-I", &foreign, &target])?;
        ip("del")?;

        assert!(!ping.status.success(), "{number}: {ping:?}");
        let after = dropped(&a, FOREIGN)?;
        assert!(after > before, "{number}: {foreign} to {target} passed");
    }
    let quiet = dropped(&a, FOREIGN)?;
    assert!(reaches(&a, &b) && reaches(&b, &a) && reaches(&a, &other));
    assert_eq!(dropped(&a, FOREIGN)?, quiet, "own addresses: {a_own:?}");
    Ok(())
}

#[test]
fn link_local_flood_of_a_pod_does_not_fill_neighbour_table() -> Result {
    const SOURCES: u16 = 400;
    let lab = raise(1, Families::Dual, &json!({}))?;
    let node = lab.node(1);
    let (a, b) = (node.add_pod("a")?, node.add_pod("b")?);
    let host = &a.result().interfaces[0].name;
    let mut announce = vec![LAB.to_owned(), "announce".to_owned()];
    announce.extend((1..=SOURCES).map(|number| format!("fe80::bad:{number:x}")));

    let start = Instant::now();
    a.run(&announce)?;
    let seconds = start.elapsed().as_secs() + 1;

    let known = run(node, &format!("ip -6 neigh show dev {host}"))?;
    let known = known.lines().filter(|line| line.contains("fe80::bad"));
    let known: u64 = known.map(|_| 1).sum();
    assert!((1..=100 + 50 * seconds).contains(&known), "{known}");
    let rest = dropped(&a, "only neighbour discovery, in measure")?;
    assert!(rest >= u64::from(SOURCES) - known, "{rest}");
    assert!(reaches(&a, &b) && reaches(&b, &a));
    a.check()?;
    b.check()
}

/// A datagram from each of the addresses to each of the targets of its family, with a text that
/// starts with `start`.
fn datagrams(from: &[IpAddr], targets: &[IpAddr], start: &str) -> Vec<Datagram> {
    let mut all = Vec::new();
    for from in from {
        let same_family = |target: &&IpAddr| target.is_ipv4() == from.is_ipv4();
        for target in targets.iter().filter(same_family) {
            let (from, target) = (*from, *target);
            let text = format!("{start}-{from}-{target}");
            all.push(Datagram { from, target, text });
        }
    }
    all
}

/// Waits until each of the datagrams was received, and returns everything that was received.
fn received(datagrams: &[Datagram], captures: &[Process]) -> Result<String> {
    let all = || captures.iter().map(Process::log).collect::<String>();
    let was_received =
        |datagram: &Datagram| all().contains(&format!("{} {}\n", datagram.from, datagram.text));
    wait_until("allowed datagrams", DEADLINE, || {
        datagrams.iter().all(was_received)
    })
    .map_err(|error| error.doing(all()))?;
    Ok(all())
}

fn addresses(texts: &[&str]) -> Vec<IpAddr> {
    texts.iter().filter_map(|text| text.parse().ok()).collect()
}

#[test]
fn handmade_frames_with_foreign_sources_are_dropped() -> Result {
    let lab = raise(2, Families::Dual, &json!({}))?;
    let [one, two] = [lab.node(1), lab.node(2)];
    run(one, LOOSE)?;
    let (a, b, c) = (one.add_pod("a")?, two.add_pod("b")?, one.add_pod("c")?);
    let captures = [
        capture_in(&b)?,
        capture_in(&c)?,
        capture_on(one, None)?,
        capture_on(two, Some("eth0"))?,
    ];
    let others = [
        b.addresses(),
        c.addresses(),
        one.addresses().to_vec(),
        two.addresses().to_vec(),
    ]
    .concat();
    let nobodys = addresses(&[
        "10.244.255.77",
        "203.0.113.7",
        "127.0.0.1",
        "169.254.1.1",
        "fd00:10:244:ff::77",
        "2001:db8::7",
        "::1",
    ]);
    let foreign = datagrams(&[&others[..], &nobodys].concat(), &others, "foreign");
    let own = datagrams(&a.addresses(), &others, "own");
    let before = dropped(&a, FOREIGN)?;

    send_frames(&a, &foreign)?;
    send_frames(&a, &own)?;

    let arrived = received(&own, &captures)?;
    assert!(!arrived.contains("foreign"), "{arrived}");
    let after = dropped(&a, FOREIGN)?;
    // The kernel itself drops packets from ::1 before any filter (`ip6_rcv_core`).
    let counted = |word: &&Datagram| word.from != IpAddr::V6(Ipv6Addr::LOCALHOST);
    let expected = foreign.iter().filter(counted).count();
    assert_eq!(usize::try_from(after - before), Ok(expected));
    Ok(())
}

#[test]
fn spoofed_ipv4_without_routed_is_dropped_by_rp_filter() -> Result {
    let lab = Lab::builder().etcd(0).start()?;
    let node = lab.node(1);
    node.install_conflist()?;
    let (a, c) = (node.add_pod("a")?, node.add_pod("c")?);
    let captures = [capture_in(&c)?, capture_on(node, None)?];
    let targets = [c.addresses()[0], node.addresses()[0]];
    let foreign = addresses(&["10.244.255.77", "203.0.113.7", "127.0.0.1", "192.168.1.77"]);
    let foreign = [&foreign[..], &targets].concat();
    let own = &a.addresses()[..1];

    for all in ["0", "1"] {
        run(
            node,
            &format!("sysctl -qw net.ipv4.conf.all.rp_filter={all}"),
        )?;
        send_frames(&a, &datagrams(&foreign, &targets, "foreign"))?;
        let own = datagrams(own, &targets, &format!("own{all}"));
        send_frames(&a, &own)?;
        let arrived = received(&own, &captures)?;
        assert!(!arrived.contains("foreign"), "{all}: {arrived}");
    }

    // The `rp_filter` of the host interface drops them.
    let host = &a.result().interfaces[0].name;
    for setting in ["all", host] {
        let setting = format!("net.ipv4.conf.{setting}.rp_filter=0");
        run(node, &format!("sysctl -qw {setting}"))?;
    }
    let foreign = datagrams(&foreign[..2], &targets, "foreign");
    send_frames(&a, &foreign)?;
    received(&foreign, &captures).map(drop)
}

#[test]
fn false_arp_and_ndp_announcements_of_a_pod_have_no_effect() -> Result {
    let lab = raise(2, Families::Dual, &json!({}))?;
    let [one, two] = [lab.node(1), lab.node(2)];
    let (a, b, c) = (one.add_pod("a")?, two.add_pod("b")?, one.add_pod("c")?);
    assert!(reaches(&b, &c) && reaches(&c, &b) && reaches(&c, &a) && reaches(&a, &b));
    let host = &c.result().interfaces[0].name;
    // The neighbours with their MACs, without their state.
    let known = || -> Result<Vec<String>> {
        let of_host = one.run(&["ip", "neigh", "show", "dev", host])?;
        let of_uplink = one.run(&["ip", "neigh", "show", "dev", "eth0"])?;
        let inside = c.run(&["ip", "neigh"])?;
        let lines = [of_host, of_uplink, inside].concat();
        let mut lines: Vec<String> = lines
            .lines()
            .filter_map(|line| line.split_once(" lladdr "))
            .map(|(who, rest)| format!("{who} {}", rest.get(..17).unwrap_or_default()))
            .collect();
        lines.sort();
        Ok(lines)
    };
    let before = known()?;
    let captures = [capture_in(&a)?, capture_in(&c)?];

    let mut announce = vec![LAB.to_owned(), "announce".to_owned()];
    let gateways = addresses(&["169.254.1.1", "fe80::1"]);
    let claimed = [
        &c.addresses()[..],
        &b.addresses(),
        one.addresses(),
        &gateways,
    ]
    .concat();
    announce.extend(claimed.iter().map(ToString::to_string));
    for _ in 0..3 {
        a.run(&announce)?;
    }

    let sent = datagrams(&b.addresses(), &c.addresses(), "for-c");
    send_frames(&b, &sent)?;
    let arrived = received(&sent, &captures[1..])?;
    assert_eq!(captures[0].log().lines().count(), 1, "{arrived}");
    assert_eq!(known()?, before);
    assert!(reaches(&b, &c) && reaches(&c, &b) && reaches(&c, &a) && reaches(&a, &b));
    Ok(())
}

#[test]
fn node_loopback_is_out_of_reach_of_pods() -> Result {
    let lab = raise(2, Families::V4, &json!({}))?;
    let [one, two] = [lab.node(1), lab.node(2)];
    let a = one.add_pod("a")?;
    let loopback = addresses(&["127.0.0.1", "127.9.9.9"]);
    let captures = [capture_on(one, None)?];
    // As portmap does, so that the node's own connections to 127.0.0.1 lead to pods.
    let host = &a.result().interfaces[0].name;
    run(
        one,
        &format!("sysctl -qw net.ipv4.conf.{host}.route_localnet=1"),
    )?;
    let before = dropped(&a, "the node's own loopback")?;
    let forged = dropped(&a, FOREIGN)?;

    send_frames(&a, &datagrams(&a.addresses(), &loopback, "loopback"))?;
    send_frames(&a, &datagrams(&loopback, one.addresses(), "loopback"))?;
    let own = datagrams(&a.addresses(), &one.addresses()[..1], "own");
    send_frames(&a, &own)?;

    let all = received(&own, &captures)?;
    assert!(!all.contains("loopback"), "{all}");
    assert_eq!(dropped(&a, "the node's own loopback")? - before, 2);
    assert_eq!(dropped(&a, FOREIGN)? - forged, 2);

    // It is the guard that does it.
    two.end_routed(Signal::SIGKILL)?;
    run(two, "nft delete table inet flatland")?;
    let b = two.add_pod("b")?;
    let host = &b.result().interfaces[0].name;
    run(
        two,
        &format!("sysctl -qw net.ipv4.conf.{host}.route_localnet=1"),
    )?;
    let captures = [capture_on(two, None)?];
    let reaching = datagrams(&b.addresses(), &loopback[..1], "loopback");
    send_frames(&b, &reaching)?;
    received(&reaching, &captures).map(drop)
}

#[test]
fn from_the_unspecified_address_pods_only_discover() -> Result {
    const REST: &str = "only duplicate address detection and MLD";
    let lab = raise(1, Families::Dual, &json!({}))?;
    let node = lab.node(1);
    let (a, b) = (node.add_pod("a")?, node.add_pod("b")?);
    let captures = [capture_in(&b)?, capture_on(node, None)?];
    let targets = [b.addresses()[1], node.addresses()[1]];
    let before = dropped(&a, REST)?;

    send_frames(&a, &datagrams(&addresses(&["::"]), &targets, "unspecified"))?;
    let own = datagrams(&a.addresses()[1..], &targets, "own");
    send_frames(&a, &own)?;

    let arrived = received(&own, &captures)?;
    assert!(!arrived.contains("unspecified"), "{arrived}");
    assert_eq!(dropped(&a, REST)? - before, 2);

    // A second address in the pod is looked for on the link before it is used, and reported.
    let quiet = dropped(&a, REST)?;
    a.run(&["ip", "address", "add", "fe80::5/64", "dev", "eth0"])?;
    wait_until("address without a duplicate", DEADLINE, || {
        let text = a.run(&["ip", "address", "show", "dev", "eth0", "tentative"]);
        text.is_ok_and(|text| !text.contains("fe80::5"))
    })?;
    assert_eq!(dropped(&a, REST)?, quiet);
    Ok(())
}
