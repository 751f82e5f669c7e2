//! STATUS, CHECK and GC: what they say of a node and its pods, and what they change.

use lab::{Lab, Result, Runtime, Target};
use serde_json::json;
use wire::cni::Version;

/// A node alone, with its claims in a local file.
fn lab() -> Result<Lab> {
    let lab = Lab::builder().etcd(0).start()?;
    lab.node(1).install_conflist()?;
    Ok(lab)
}

/// A runtime that knows every verb.
fn runtime(lab: &Lab) -> Result<Runtime<'_>> {
    Ok(Runtime::of(lab.node(1))?.speaking(Version::V1_1_0))
}

#[test]
fn status_is_fine_before_the_first_pod_and_after_it() -> Result {
    let lab = lab()?;
    runtime(&lab)?.status()?;
    lab.node(1).add_pod("a")?;
    runtime(&lab)?.status()
}

#[test]
fn status_says_what_would_fail_an_add() -> Result {
    let mut lab = Lab::builder().etcd(0).start()?;
    let mut conflist = lab.conflist();
    conflist["plugins"][0]["ipam"]["podCIDRs"] = json!(["10.244.0.0/28"]);
    conflist["plugins"][0]["ipam"]["subnetLengths"] = json!([30]);
    lab.node_mut(1).set_conflist(&conflist)?;
    let lab = lab;
    lab.node(1).install_conflist()?;
    // A subnet of four addresses holds one or two pods; then the next subnet is claimed.
    for number in 0.. {
        if let Err(error) = lab.node(1).add_pod(&format!("p{number}")) {
            assert!(number > 0, "{error}");
            break;
        }
    }
    let full = runtime(&lab)?.status().unwrap_err().to_string();
    assert!(full.contains("\"code\":50"), "{full}");

    lab.node(1).run(&["rm", "/opt/cni/bin/flatland-ipam"])?;
    let missing = runtime(&lab)?.status().unwrap_err().to_string();
    assert!(
        missing.contains("\"code\":50") && missing.contains("flatland-ipam is not in CNI_PATH"),
        "{missing}"
    );
    lab.node(1).run(&["ip", "link", "del", "eth0"])?;
    let lonely = runtime(&lab)?.status().unwrap_err().to_string();
    assert!(
        lonely.contains("\"code\":50") && lonely.contains("uplink"),
        "{lonely}"
    );
    Ok(())
}

/// One way to break a pod: a command on its node, where POD is the pod's name, HOST its host end, V4
/// and V6 its addresses; and what CHECK says then.
const BREAKS: [(&str, &[&str]); 16] = [
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
        "ip -n POD link set eth0 mtu 1400",
        &["has MTU 1400, not 1500"],
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
        "ip -n POD neigh del 169.254.1.1 dev eth0",
        &["neighbour 169.254.1.1 of eth0 is missing"],
    ),
    ("ip link set HOST down", &["HOST is down", "route to V4/32"]),
    (
        "ip link set HOST mtu 9000",
        &["host interface HOST has MTU 9000, not 1500"],
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
        "sysctl -qw net.ipv4.conf.HOST.rp_filter=0",
        &["rp_filter is not 1"],
    ),
];

#[test]
fn check_passes_after_add_and_finds_each_thing_that_is_broken() -> Result {
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
fn check_finds_that_the_address_is_no_longer_reserved_or_the_namespace_is_gone() -> Result {
    let lab = lab()?;
    let (node, runtime) = (lab.node(1), runtime(&lab)?);
    let pod = node.sandbox("a")?;
    let attached = runtime.add(pod.target())?;
    node.run(&["sh", "-c", "rm -r /run/flatland/flatland"])?;
    let freed = runtime
        .check(pod.target(), &attached)
        .unwrap_err()
        .to_string();
    assert!(freed.contains("a/eth0 holds no address"), "{freed}");

    pod.vanish()?;
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

#[test]
fn check_works_in_every_version_that_has_it() -> Result {
    let lab = lab()?;
    for version in [Version::V0_4_0, Version::V1_0_0, Version::V1_1_0] {
        let runtime = Runtime::of(lab.node(1))?.speaking(version);
        let pod = lab.node(1).sandbox(&format!("v{version}"))?;
        let attached = runtime.add(pod.target())?;
        runtime.check(pod.target(), &attached)?;
        runtime.del(pod.target(), Some(&attached))?;
    }
    Ok(())
}

#[test]
fn gc_removes_what_the_runtime_does_not_know_and_nothing_else() -> Result {
    let lab = lab()?;
    let (node, runtime) = (lab.node(1), runtime(&lab)?);
    let (kept, stale) = (node.add_pod("kept")?, node.add_pod("stale")?);
    let mut conflist = lab.conflist();
    conflist["name"] = json!("other");
    conflist["plugins"][0]["ipam"]["podCIDRs"] = json!(["10.7.0.0/16"]);
    let other = Runtime::with(node, conflist)?;
    let neighbour = node.sandbox("neighbour")?;
    other.add(neighbour.target())?;

    runtime.gc(&[kept.target()])?;

    kept.check()?;
    let links = node.run(&["ip", "-o", "link", "show", "type", "veth"])?;
    assert!(links.contains("alias flatland kept/eth0"), "{links}");
    assert!(links.contains("alias other neighbour/eth0"), "{links}");
    assert!(!links.contains("stale"), "{links}");
    let routes = node.routes()?.join("\n");
    let files = node.run(&["ls", "/run/flatland/flatland/addresses"])?;
    for address in stale.addresses() {
        assert!(!routes.contains(&address.to_string()), "{routes}");
        assert!(!files.contains(&address.to_string()), "{files}");
    }
    runtime.gc(&[kept.target()])?;
    runtime.gc(&[])?;
    assert_eq!(node.routes()?.len(), 1, "the other network's pod");
    stale.detach()
}
