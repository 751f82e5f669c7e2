//! Forwarding, router advertisements, and settings of interfaces that other programs made.

use std::fs;

use lab::{
    CommandOutput, DEADLINE, Error, Families, Lab, Machine, Node, Pod, Process, Result, wait_until,
};
use nix::sys::signal::Signal;

const LAB: &str = "/opt/flatland/lab";
const CONFLIST: &str = "/etc/flatland/10-flatland.conflist";

/// Runs a line of words.
fn run(machine: &Machine, line: &str) -> Result<String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    machine.run(&words)
}

fn sysctl(machine: &Machine, name: &str) -> Result<String> {
    let value = run(machine, &format!("cat /proc/sys/net/{name}"))?;
    Ok(value.trim().to_owned())
}

/// Adds a router to the switch; it advertises when [`advertise`] says so.
fn router(lab: &Lab) -> Result<Machine> {
    let router = lab.add_external_machine("router", 200)?;
    fs::copy(lab.node(1).path(LAB), router.path(LAB)).map_err(|it| Error::new(it.to_string()))?;
    Ok(router)
}

/// Advertises at once, and for each solicitation, until the result is dropped.
fn advertise(router: &Machine, default: u16, valid: u32) -> Result<Process> {
    let (default, valid) = (default.to_string(), valid.to_string());
    let command = [
        LAB,
        "advertise",
        "--default",
        &default,
        "--valid",
        &valid,
        "2001:db8:77::",
    ];
    let daemon = router.spawn("advertise", None, &command)?;
    wait_until("router that advertises", DEADLINE, || {
        daemon.log().contains(lab::probe::LISTENING)
    })?;
    Ok(daemon)
}

fn has_default_route(node: &Node) -> bool {
    run(node, "ip -6 route show default").is_ok_and(|routes| routes.contains("via fe80::77"))
}

/// For how many seconds the address is valid that the node made from the advertised prefix.
fn valid_for(node: &Node) -> Option<u32> {
    let text = run(node, "ip -6 -o address show dev eth0 dynamic").ok()?;
    let line = text.lines().find(|line| line.contains("2001:db8:77:"))?;
    let (_, rest) = line.split_once("valid_lft ")?;
    rest.split_once("sec")?.0.parse().ok()
}

/// Waits until the node has learned an address that is valid for at least `seconds`.
fn wait_learned(node: &Node, seconds: u32) -> Result {
    wait_until(format!("address of {}", node.name()), DEADLINE, || {
        valid_for(node).is_some_and(|valid| valid > seconds)
    })
}

fn doctor(node: &Node) -> Result<CommandOutput> {
    node.routed_command(&["doctor", "--conflist", CONFLIST])
}

/// The line of `routed doctor` about forwarding, and the next one.
fn forwarding_in_doctor(node: &Node) -> Result<String> {
    let text = doctor(node)?.stdout;
    let lines: Vec<&str> = text.lines().collect();
    let at = lines.iter().position(|line| line.contains(" forwarding: "));
    Ok(lines[at.unwrap_or_default()..]
        .iter()
        .take(2)
        .copied()
        .collect())
}

#[test]
fn node_keeps_what_routers_advertise_when_forwarding_goes_on() -> Result {
    type StartOrder = fn(&Node) -> Result;
    let ways: [(&str, StartOrder); 3] = [
        ("ADD before routed", |node| {
            node.install_conflist()?;
            node.add_pod("a").map(drop)
        }),
        ("install", |node| {
            let install = ["install", "--conflist", CONFLIST, "--from", "/opt/cni/bin"];
            node.routed_command(&install)?.success().map(drop)
        }),
        ("routed", |node| node.start_routed()),
    ];
    for default in [900, 0] {
        let lab = Lab::builder().nodes(3).etcd(0).families(Families::Dual);
        let lab = lab.no_default_route().start()?;
        let router = router(&lab)?;
        let first = advertise(&router, default, 300)?;
        for node in lab.nodes() {
            wait_learned(node, 200)?;
            assert_eq!(has_default_route(node), default > 0);
        }
        drop(first);

        for (node, (way, start)) in lab.nodes().iter().zip(ways) {
            start(node).map_err(|error| error.doing(way))?;
            assert_eq!(sysctl(node, "ipv6/conf/all/forwarding")?, "1", "{way}");
            assert_eq!(has_default_route(node), default > 0, "{way}");
            assert_eq!(sysctl(node, "ipv6/conf/eth0/accept_ra")?, "2", "{way}");
            // What pods' host ends inherit: pods are no routers.
            assert_eq!(sysctl(node, "ipv6/conf/default/accept_ra")?, "1", "{way}");
            let said = forwarding_in_doctor(node)?;
            assert!(said.starts_with("ok "), "{way}: {said}");
        }
        let _second = advertise(&router, default, 3000)?;
        for node in lab.nodes() {
            wait_learned(node, 2000)?;
        }
    }
    Ok(())
}

#[test]
fn deaf_uplink_listens_again_and_has_its_default_route_back() -> Result {
    let lab = Lab::builder().nodes(2).etcd(0).families(Families::Dual);
    let lab = lab.no_default_route().start()?;
    let router = router(&lab)?;
    let advertising = advertise(&router, 900, 300)?;
    let [one, by_hand] = [lab.node(1), lab.node(2)];
    for node in lab.nodes() {
        wait_learned(node, 200)?;
        run(
            node,
            "sysctl -qw net.ipv6.conf.all.forwarding=1 net.ipv4.ip_forward=1",
        )?;
        assert!(!has_default_route(node), "the kernel drops it");
        let said = forwarding_in_doctor(node)?;
        for part in [
            "warning ",
            "eth0 ignores router advertisements",
            "sysctl -w net.ipv6.conf.eth0.accept_ra=2",
        ] {
            assert!(said.contains(part), "{part}: {said}");
        }
    }
    // An administrator who gave the node its address and its route is not contradicted.
    run(by_hand, "ip -6 address flush dev eth0 dynamic")?;
    run(by_hand, "ip -6 route add default via fd00:192:168:1::200")?;
    let said = forwarding_in_doctor(by_hand)?;
    assert!(said.starts_with("ok "), "{said}");

    for node in lab.nodes() {
        node.start_routed()?;
    }

    wait_until("default route by solicitation", DEADLINE, || {
        has_default_route(one)
    })
    .map_err(|error| error.doing(one.routed_log()))?;
    assert!(advertising.log().contains("solicited"));
    one.wait_log("net.ipv6.conf.eth0.accept_ra = 2")?;
    let token = run(one, "ip token show dev eth0")?;
    assert!(token.contains("token :: "), "{token}");
    assert_eq!(sysctl(by_hand, "ipv6/conf/eth0/accept_ra")?, "1");
    for node in lab.nodes() {
        let said = forwarding_in_doctor(node)?;
        assert!(said.starts_with("ok "), "{said}");
    }
    Ok(())
}

/// Whether a pod reaches another one.
fn reaches(from: &Pod<'_>, to: &Pod<'_>) -> bool {
    to.addresses().iter().all(|address| {
        let ping = from.try_run(&["ping", "-c1", "-W1", &address.to_string()]);
        ping.is_ok_and(|output| output.status.success())
    })
}

#[test]
fn link_that_does_not_forward_is_put_right_and_not_fought_over() -> Result {
    const OFF: &str = "net.ipv4.conf.eth0.forwarding=0";
    let lab = Lab::builder().nodes(2).start()?;
    lab.start_routed()?;
    lab.wait_routes()?;
    let [one, two] = [lab.node(1), lab.node(2)];
    let (a, b) = (one.add_pod("a")?, two.add_pod("b")?);
    assert!(reaches(&b, &a));
    one.end_routed(Signal::SIGKILL)?;
    run(one, &format!("sysctl -qw {OFF}"))?;
    assert!(
        !reaches(&b, &a),
        "the kernel forwards by the link's setting"
    );
    let said = forwarding_in_doctor(one)?;
    for part in [
        "broken ",
        "net.ipv4.ip_forward = 1",
        "but net.ipv4.conf.eth0.forwarding = 0",
        "sysctl -w net.ipv4.conf.eth0.forwarding=1",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }

    one.start_routed()?;
    let is_on = |link: &str| {
        let value = sysctl(one, &format!("ipv4/conf/{link}/forwarding"));
        value.is_ok_and(|value| value == "1")
    };
    let wait_on = |link: &str| {
        wait_until(format!("forwarding by {link}"), DEADLINE, || is_on(link))
            .map_err(|error| error.doing(one.routed_log()))
    };
    wait_on("eth0")?;
    one.wait_log("net.ipv4.conf.eth0.forwarding = 1")?;
    let host_end = a.result().interfaces[0].name.clone();
    run(
        one,
        &format!("sysctl -qw net.ipv4.conf.{host_end}.forwarding=0"),
    )?;
    wait_on(&host_end)?;
    assert!(reaches(&b, &a) && reaches(&a, &b));
    let said = forwarding_in_doctor(one)?;
    assert!(said.starts_with("ok "), "{said}");

    // Another program that insists is named, and its value stays for a while.
    for _ in 0..2 {
        run(one, &format!("sysctl -qw {OFF}"))?;
        wait_on("eth0")?;
    }
    run(one, &format!("sysctl -qw {OFF}"))?;
    let keeps = "another program keeps changing net.ipv4.conf.eth0.forwarding, which must be 1";
    one.wait_log(keeps)?;
    assert!(!is_on("eth0"));
    let status = one.routed_command(&["status"])?;
    assert!(status.stdout.contains(keeps), "{}", status.stdout);
    assert_eq!(
        one.count_logged("keeps changing"),
        1,
        "{}",
        one.routed_log()
    );

    // As soon as it does what it should, all is well.
    run(one, "sysctl -qw net.ipv4.conf.eth0.forwarding=1")?;
    wait_until("status without it", DEADLINE, || {
        let status = one.routed_command(&["status"]);
        status.is_ok_and(|status| !status.stdout.contains("keeps changing"))
    })?;
    assert!(reaches(&b, &a));
    Ok(())
}

#[test]
fn pods_are_wired_whatever_the_defaults_of_new_links_are() -> Result {
    let lab = Lab::builder().families(Families::Dual).etcd(0).start()?;
    let node = lab.node(1);
    node.start_routed()?;
    let plain = node.add_pod("plain")?;
    for (number, setting) in [
        "ipv4.conf.default.forwarding=0",
        "ipv4.conf.default.rp_filter=0",
        "ipv4.conf.default.rp_filter=1",
        "ipv4.conf.default.rp_filter=2",
        "ipv4.conf.default.proxy_arp=1",
        "ipv6.conf.default.forwarding=0",
        "ipv6.conf.default.accept_ra=0",
        "ipv6.conf.default.accept_ra=2",
        "ipv6.conf.default.accept_dad=2",
        "ipv6.conf.default.addr_gen_mode=1",
        "ipv6.conf.default.addr_gen_mode=3",
        "ipv6.conf.default.disable_ipv6=1",
        "ipv6.conf.all.disable_ipv6=1",
    ]
    .iter()
    .enumerate()
    {
        // On the node, and in the pod's own namespace.
        for inside in [false, true] {
            let set = ["sysctl", "-qw", &format!("net.{setting}")];
            let mut pod = node.sandbox(&format!("p{number}{inside}"))?;
            let (name, _) = setting.split_once('=').unwrap_or_default();
            let path = format!("/proc/sys/net/{}", name.replace('.', "/"));
            if inside {
                pod.run(&set)?;
            } else if name.contains("all") {
                continue; // That disables IPv6 on the node itself.
            }
            let before = run(node, &format!("cat {path}"))?;
            if !inside {
                node.run(&set)?;
            }
            pod.attach()
                .map_err(|error| error.doing(format!("{setting} {inside}")))?;
            run(node, &format!("sysctl -qw net.{name}={before}"))?;
            let pods = [&plain, &pod];
            let works = reaches(pods[0], pods[1]) && reaches(pods[1], pods[0]);
            assert!(works, "{setting} {inside}");
            pod.check()
                .map_err(|error| error.doing(format!("{setting} {inside}")))?;
            pod.delete()?;
        }
    }
    Ok(())
}

#[test]
fn ipv6_that_cannot_be_enabled_is_named_with_its_cure() -> Result {
    let lab = Lab::builder().families(Families::Dual).etcd(0).start()?;
    let node = lab.node(1);
    node.start_routed()?;
    run(node, "sysctl -qw net.ipv6.conf.default.disable_ipv6=1")?;
    run(node, "mount --bind /proc/sys /proc/sys")?;
    run(node, "mount -o remount,bind,ro /proc/sys")?;
    let before = node.attachment_state()?;

    let mut pod = node.sandbox("a")?;
    let refused = pod.attach().expect_err("IPv6 is disabled").to_string();

    for part in [
        "IPv6 is disabled on flat",
        "Read-only file system",
        "set net.ipv6.conf.default.disable_ipv6 = 0 on this node",
    ] {
        assert!(refused.contains(part), "{part}: {refused}");
    }
    pod.delete_netns()?;
    assert_eq!(node.attachment_state()?, before);
    run(node, "mount -o remount,bind,rw /proc/sys")?;
    node.add_pod("b").map(drop)
}
