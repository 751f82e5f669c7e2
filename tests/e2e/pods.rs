//! A pod's network: what ADD makes, what DEL leaves, what a failed ADD leaves.

use std::collections::BTreeSet;

use lab::{DEADLINE, Families, Lab, Pod, Result, wait_until};
use nix::sys::utsname::uname;
use serde_json::Value;

/// A single node, with its claims in a local file.
fn lab() -> Result<Lab> {
    let lab = Lab::builder().etcd(0).start()?;
    lab.node(1).install_conflist()?;
    Ok(lab)
}

fn json(text: &str) -> Vec<Value> {
    serde_json::from_str(text).unwrap_or_default()
}

#[test]
fn add_result_matches_the_pods_kernel_state() -> Result {
    let lab = lab()?;
    let node = lab.node(1);
    let pod = node.add_pod("a")?;
    let result = pod.result();
    let [host, inside] = &result.interfaces[..] else {
        panic!("two interfaces: {result:?}")
    };

    let link = &json(&pod.run(&["ip", "-j", "-d", "link", "show", "eth0"])?)[0];
    assert_eq!(link["address"], inside.mac.as_deref().unwrap());
    assert_eq!(link["mtu"], 1500);
    assert_eq!(inside.sandbox.as_deref(), Some("/run/netns/a"));
    let end = &json(&node.run(&["ip", "-j", "-d", "link", "show", &host.name])?)[0];
    assert_eq!(end["address"], host.mac.as_deref().unwrap());
    assert_eq!(end["ifalias"], "flatland a/eth0");

    let shown = json(&pod.run(&["ip", "-j", "address", "show", "eth0", "scope", "global"])?);
    let shown: BTreeSet<String> = shown
        .iter()
        .filter_map(|link| link["addr_info"].as_array())
        .flatten()
        .filter_map(|info| Some(format!("{}/{}", info["local"].as_str()?, info["prefixlen"])))
        .collect();
    let reported: BTreeSet<String> = result.ips.iter().map(|ip| ip.address.to_string()).collect();
    assert_eq!(shown, reported);
    assert_eq!(reported.len(), 2, "one address of each family");

    for (family, gateway, default) in [
        ("-4", "169.254.1.1", "0.0.0.0/0"),
        ("-6", "fe80::1", "::/0"),
    ] {
        let routes = json(&pod.run(&["ip", "-j", family, "route", "show", "default"])?);
        assert_eq!(routes[0]["gateway"], gateway);
        assert!(
            result
                .routes
                .iter()
                .any(|route| route.dst.to_string() == default)
        );
        let neighbours = json(&pod.run(&["ip", "-j", family, "neigh", "show", gateway])?);
        assert_eq!(neighbours[0]["lladdr"], host.mac.as_deref().unwrap());
        assert_eq!(neighbours[0]["state"][0], "PERMANENT");
    }
    let routes = json(&pod.run(&["ip", "-j", "-4", "route", "show"])?);
    let shown: BTreeSet<&str> = routes.iter().filter_map(|it| it["dst"].as_str()).collect();
    assert_eq!(shown, BTreeSet::from(["default", "169.254.1.1"]));
    assert_eq!(result.routes.len(), 2, "one default route of each family");
    for ip in &result.ips {
        let address = ip.address.ip().to_string();
        let family = if ip.address.is_ipv4() { "-4" } else { "-6" };
        let route = node.run(&["ip", family, "route", "show", &address])?;
        assert!(
            route.contains(&format!("dev {} proto 70", host.name)),
            "{route}"
        );
        let neighbours = json(&node.run(&["ip", "-j", "neigh", "show", &address])?);
        assert_eq!(neighbours[0]["lladdr"], inside.mac.as_deref().unwrap());
    }
    Ok(())
}

#[test]
fn ipv6_routes_of_the_node_grow_only_with_ipv6_pods() -> Result {
    let lists = |families| -> Result<[Vec<String>; 2]> {
        let lab = Lab::builder().etcd(0).families(families).start()?;
        let node = lab.node(1);
        node.install_conflist()?;
        let pod = node.add_pod("a")?;
        let host_interface = pod.result().interfaces[0].name.clone();
        let list = |table| -> Result<Vec<String>> {
            let listed = node.run(&[
                "ip",
                "-6",
                "route",
                "show",
                "table",
                table,
                "dev",
                &host_interface,
            ])?;
            Ok(listed.lines().map(str::to_owned).collect())
        };
        wait_until("what the kernel does by itself", DEADLINE, || {
            list("local").is_ok_and(|local| {
                local.iter().any(|route| route.contains("ff00::/8"))
                    != (families == Families::V4 && notices_carriers_when_asked())
            })
        })?;
        Ok([list("main")?, list("local")?])
    };
    let [main, local] = lists(Families::V4)?;
    assert_eq!(main, Vec::<String>::new());
    assert!(local.len() <= 1, "{local:?}");
    // One for the pod's address, and none for the host interface itself.
    let [main, local] = lists(Families::Dual)?;
    assert_eq!(main.len(), 1, "{main:?}");
    assert!(main[0].contains("proto 70"), "{main:?}");
    assert_eq!(local.len(), 2, "{local:?}");
    Ok(())
}

/// Since Linux 6.8 the kernel handles a carrier change when the link is queried; before that,
/// later.
fn notices_carriers_when_asked() -> bool {
    let release = uname().expect("uname").release().to_owned();
    let release = release.to_string_lossy();
    let mut numbers = release.split(['.', '-']).map_while(|it| it.parse().ok());
    let version: [u32; 2] = [numbers.next(), numbers.next()].map(Option::unwrap_or_default);
    version >= [6, 8]
}

#[test]
fn del_leaves_nothing() -> Result {
    let lab = lab()?;
    let node = lab.node(1);
    node.add_pod("first")?.delete()?;
    let before = node.attachment_state()?;

    let pod = node.add_pod("a")?;
    assert_ne!(node.attachment_state()?, before);
    pod.detach()?;
    pod.detach()?;
    pod.delete_netns()?;

    assert_eq!(node.attachment_state()?, before);
    Ok(())
}

#[test]
fn del_without_namespace_result_or_state_works() -> Result {
    let lab = lab()?;
    let node = lab.node(1);
    node.add_pod("first")?.delete()?;
    let before = node.attachment_state()?;

    let gone = node.add_pod("gone")?;
    node.run(&["ip", "netns", "del", "gone"])?;
    gone.detach()?;
    assert_eq!(
        node.attachment_state()?,
        before,
        "after the namespace went first"
    );

    let mut forgotten = node.sandbox("forgotten")?;
    forgotten.attach()?;
    let target = forgotten.target();
    lab::Runtime::of(node)?.del(
        lab::Target {
            netns: "",
            ..target
        },
        None,
    )?;
    assert_eq!(
        node.attachment_state()?[0],
        before[0],
        "after DEL without a result"
    );

    node.run(&["rm", "-r", "/run/flatland/flatland"])?;
    forgotten.detach()?;
    node.sandbox("never")?.detach()
}

#[test]
fn pod_without_any_daemon_reaches_its_node_and_other_pods() -> Result {
    let lab = lab()?;
    let node = lab.node(1);
    let (a, b) = (node.add_pod("a")?, node.add_pod("b")?);

    for address in b.addresses().iter().chain(node.addresses()) {
        a.run(&["ping", "-c1", "-W2", &address.to_string()])?;
    }
    for address in a.addresses() {
        node.run(&["ping", "-c1", "-W2", &address.to_string()])?;
    }
    Ok(())
}

#[test]
fn first_packet_after_add_arrives() -> Result {
    let lab = lab()?;
    let node = lab.node(1);
    for round in 0..20 {
        let pod = node.add_pod(&format!("p{round}"))?;
        let address = node.addresses()[round % 2].to_string();
        pod.run(&["ping", "-c1", "-W2", &address])?;
    }
    Ok(())
}

#[test]
fn mtu_is_the_uplinks_unless_configured() -> Result {
    let mut lab = Lab::builder().etcd(0).mtu(1400).start()?;
    let mtu = |pod: &Pod<'_>| -> Result<Value> {
        Ok(json(&pod.run(&["ip", "-j", "link", "show", "eth0"])?)[0]["mtu"].clone())
    };
    lab.node(1).install_conflist()?;
    assert_eq!(mtu(&lab.node(1).add_pod("a")?)?, 1400);

    let mut conflist = lab.conflist();
    conflist["plugins"][0]["mtu"] = 1300.into();
    lab.node_mut(1).set_conflist(&conflist)?;
    lab.node(1).install_conflist()?;
    assert_eq!(mtu(&lab.node(1).add_pod("b")?)?, 1300);
    Ok(())
}

#[test]
fn second_add_of_an_attachment_is_refused_without_harm() -> Result {
    let lab = lab()?;
    let node = lab.node(1);
    let mut pod = node.add_pod("a")?;
    let before = node.attachment_state()?;
    let address = pod.addresses()[0].to_string();

    let refused = pod.attach().unwrap_err().to_string();

    assert!(
        refused.contains("\"code\":100") && refused.contains("DEL"),
        "{refused}"
    );
    assert_eq!(node.attachment_state()?, before);
    node.run(&["ping", "-c1", "-W2", &address]).map(drop)
}

#[test]
fn existing_interface_in_the_pod_is_refused_by_name() -> Result {
    let lab = lab()?;
    let node = lab.node(1);
    node.add_pod("first")?.delete()?;
    let mut pod = node.sandbox("a")?;
    pod.run(&[
        "ip", "link", "add", "eth0", "type", "veth", "peer", "name", "other",
    ])?;
    let before = node.attachment_state()?;

    let refused = pod.attach().unwrap_err().to_string();

    assert!(refused.contains("eth0 exists already"), "{refused}");
    assert_eq!(node.attachment_state()?, before);
    Ok(())
}
