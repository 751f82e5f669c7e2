//! CHECK: finds every difference of a pod's interfaces, addresses, routes and neighbours from what
//! ADD made.

use lab::{DEADLINE, Result, Target, wait_until};
use nix::sys::signal::Signal;

use crate::support::{lab, runtime};

/// One way to break a pod: a command on its node, with POD replaced by the pod's name, HOST by its
/// host interface, V4 and V6 by its addresses; and the error of CHECK.
const BREAKS: [(&str, &[&str]); 21] = [
    (
        "ip -n POD link del eth0",
        &[
            "interface eth0 in the pod is gone",
            "host interface HOST is gone",
        ],
    ),
    (
        "ip -n POD link set eth0 name eth9",
        &["interface eth0 in the pod is gone"],
    ),
    (
        "ip -n POD link set eth0 down",
        &["interface eth0 in the pod is down"],
    ),
    (
        "ip -n POD link set eth0 mtu 9000",
        &["has MTU 9000, more than 1500"],
    ),
    (
        "ip -n POD link set eth0 address 02:00:00:00:00:07",
        &["has MAC 02:00:00:00:00:07, not"],
    ),
    (
        "ip -n POD addr del V4/32 dev eth0; ip -n POD addr add V4/24 dev eth0",
        &["does not have address V4/32"],
    ),
    (
        "ip -n POD -6 addr del V6/128 dev eth0",
        &["does not have address V6/128"],
    ),
    (
        "ip -n POD route del default",
        &["route to 0.0.0.0/0 through eth0 is missing"],
    ),
    (
        "ip -n POD -6 route replace default via fe80::2 dev eth0",
        &["route to ::/0 does not lead through eth0"],
    ),
    (
        "ip -n POD route del default; ip -n POD route add default dev eth0",
        &["route to 0.0.0.0/0 does not lead through eth0"],
    ),
    ("ip link set HOST down", &["HOST is down", "route to V4/32"]),
    (
        "ip link set HOST mtu 9000",
        &["host interface HOST has MTU 9000, more than 1500"],
    ),
    ("ip route del V4", &["route to V4/32"]),
    (
        "ip -6 route replace V6 via fd00:192:168:1::1 proto 70",
        &["route to V6/128 does not lead through HOST"],
    ),
    (
        "ip neigh replace V4 lladdr 02:00:00:00:00:07 dev HOST",
        &["sends what is for V4 to MAC 02:00:00:00:00:07"],
    ),
    (
        "ip neigh del V4 dev HOST; ip neigh del V6 dev HOST",
        &[
            "neighbour V4 of HOST is missing",
            "neighbour V6 of HOST is missing",
        ],
    ),
    (
        "ip -6 address del fe80::1/128 dev HOST",
        &["HOST does not have address fe80::1/128"],
    ),
    (
        "ip link set HOST alias somebody",
        &["host interface HOST belongs to"],
    ),
    (
        "sysctl -qw net.ipv4.conf.HOST.proxy_arp=0",
        &["proxy_arp is not 1"],
    ),
    (
        "sysctl -qw net.ipv4.conf.HOST.forwarding=0",
        &["HOST does not forward what the pod sends"],
    ),
    (
        "sysctl -qw net.ipv4.conf.HOST.rp_filter=0",
        &["HOST lets the pod send from any address: net.ipv4.conf.HOST.rp_filter is 0, and"],
    ),
];

#[test]
fn check_passes_after_add_and_finds_each_fault() -> Result {
    let lab = lab()?;
    let (node, runtime) = (lab.node(1), runtime(&lab)?);
    for (number, (command, findings)) in BREAKS.into_iter().enumerate() {
        let name = format!("p{number}");
        let pod = node.sandbox(&name)?;
        let attached = runtime.add(pod.target())?;
        runtime.check(pod.target(), &attached)?;

        let ip = |v4: bool| {
            let mut ips = attached.result.ips.iter().map(|ip| ip.address.ip());
            ips.find(|ip| ip.is_ipv4() == v4).map(|ip| ip.to_string())
        };
        let fill = |text: &str| {
            text.replace("POD", &name)
                .replace("HOST", &attached.result.interfaces[0].name)
                .replace("V4", &ip(true).unwrap_or_default())
                .replace("V6", &ip(false).unwrap_or_default())
        };
        node.run(&["sh", "-ec", &fill(command)])?;

        let error = runtime
            .check(pod.target(), &attached)
            .unwrap_err()
            .to_string();
        for finding in findings {
            assert!(error.contains(&fill(finding)), "{command}: {error}");
        }
        assert!(error.contains("\"code\":104"), "{error}");
    }
    Ok(())
}

#[test]
fn check_finds_a_loose_rp_filter_without_spoof_guard() -> Result {
    let lab = lab()?;
    let node = lab.node(1);
    let pod = node.add_pod("a")?;
    let expect_finding = |expected: &str| -> Result {
        let error = pod.check().expect_err("nothing guards").to_string();
        assert!(error.contains(expected), "{error}");
        Ok(())
    };
    let loose = "lets the pod send from any address: net.ipv4.conf.all.rp_filter is 2, and \
                 nftables table inet flatland";
    node.run(&["sysctl", "-qw", "net.ipv4.conf.all.rp_filter=2"])?;
    expect_finding(loose)?;

    node.start_routed()?;
    wait_until("packet filter", DEADLINE, || {
        node.run(&["nft", "list", "chain", "inet", "flatland", "spoof-guard"])
            .is_ok()
    })?;
    pod.check()?;
    node.end_routed(Signal::SIGKILL)?;
    pod.check()?;
    let host = &pod.result().interfaces[0].name;
    let setting = format!("net.ipv4.conf.{host}.rp_filter");
    node.run(&["sysctl", "-qw", &format!("{setting}=0")])?;
    expect_finding(&format!("setting {setting} is 0, not 1"))?;

    node.run(&["nft", "flush", "table", "inet", "flatland"])?;
    expect_finding(loose)
}

#[test]
fn check_restores_a_lost_address_and_finds_a_missing_namespace() -> Result {
    let lab = lab()?;
    let (node, runtime) = (lab.node(1), runtime(&lab)?);
    let pod = node.sandbox("a")?;
    let attached = runtime.add(pod.target())?;
    node.run(&["sh", "-c", "rm -r /run/flatland/flatland"])?;
    // The kernel still has the pod: its address is allocated again.
    runtime.check(pod.target(), &attached)?;
    node.run(&["sh", "-c", "ls /run/flatland/flatland/addresses/10.*"])?;

    pod.delete_netns()?;
    let target = Target {
        container_id: "a",
        netns: "/run/netns/a",
        interface: "eth0",
        args: "",
    };
    let gone = runtime.check(target, &attached).unwrap_err().to_string();
    assert!(gone.contains("/run/netns/a"), "{gone}");
    Ok(())
}
