//! One pod: what ADD makes, what DEL leaves, what a failure leaves.

use std::collections::BTreeSet;

use lab::{DEADLINE, Families, Lab, Pod, Result, wait_until};
use nix::sys::utsname::uname;
use serde_json::Value;

/// A node alone, with its claims in a local file.
fn lab() -> Result<Lab> {
    let lab = Lab::builder().etcd(0).start()?;
    lab.node(1).install_conflist()?;
    Ok(lab)
}

fn json(text: &str) -> Vec<Value> {
    serde_json::from_str(text).unwrap_or_default()
}

#[test]
fn a_pods_mac_addresses_routes_and_neighbours_are_what_the_result_says() -> Result {
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
    let said: BTreeSet<String> = result.ips.iter().map(|ip| ip.address.to_string()).collect();
    assert_eq!(shown, said);
    assert_eq!(said.len(), 2, "one address of each family");

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
fn the_nodes_ipv6_routes_grow_with_pods_of_ipv6_only() -> Result {
    let lists = |families| -> Result<[Vec<String>; 2]> {
        let lab = Lab::builder().etcd(0).families(families).start()?;
        let node = lab.node(1);
        node.install_conflist()?;
        let pod = node.add_pod("a")?;
        let host_end = pod.result().interfaces[0].name.clone();
        let list = |table| -> Result<Vec<String>> {
            let listed = node.run(&[
                "ip", "-6", "route", "show", "table", table, "dev", &host_end,
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
    // The pod's own, and nothing for the host end itself.
    let [main, local] = lists(Families::Dual)?;
    assert_eq!(main.len(), 1, "{main:?}");
    assert!(main[0].contains("proto 70"), "{main:?}");
    assert_eq!(local.len(), 2, "{local:?}");
    Ok(())
}

/// From Linux 6.8 the kernel acts on a carrier when it is asked about the link; before, later.
fn notices_carriers_when_asked() -> bool {
    let release = uname().expect("uname").release().to_owned();
    let release = release.to_string_lossy();
    let mut numbers = release.split(['.', '-']).map_while(|it| it.parse().ok());
    let version: [u32; 2] = [numbers.next(), numbers.next()].map(Option::unwrap_or_default);
    version >= [6, 8]
}

#[test]
fn after_del_nothing_is_left() -> Result {
    let lab = lab()?;
    let node = lab.node(1);
    node.add_pod("first")?.delete()?;
    let before = node.traces()?;

    let pod = node.add_pod("a")?;
    assert_ne!(node.traces()?, before);
    pod.detach()?;
    pod.detach()?;
    pod.vanish()?;

    assert_eq!(node.traces()?, before);
    Ok(())
}

#[test]
fn del_needs_no_namespace_no_result_and_no_state() -> Result {
    let lab = lab()?;
    let node = lab.node(1);
    node.add_pod("first")?.delete()?;
    let before = node.traces()?;

    let gone = node.add_pod("gone")?;
    node.run(&["ip", "netns", "del", "gone"])?;
    gone.detach()?;
    assert_eq!(node.traces()?, before, "after the namespace went first");

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
    assert_eq!(node.traces()?[0], before[0], "after DEL without a result");

    node.run(&["rm", "-r", "/run/flatland/flatland"])?;
    forgotten.detach()?;
    node.sandbox("never")?.detach()
}

#[test]
fn a_pod_reaches_its_node_and_its_neighbours_without_any_daemon() -> Result {
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
fn the_first_packet_after_add_arrives() -> Result {
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
fn the_mtu_is_the_uplinks_unless_the_conflist_says_otherwise() -> Result {
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
fn an_add_that_fails_half_way_takes_everything_back() -> Result {
    let lab = lab()?;
    let node = lab.node(1);
    node.add_pod("first")?.delete()?;
    let before = node.traces()?;

    let mut pod = node.sandbox("a")?;
    // With IPv6 off, the IPv6 address is refused after the pair and the IPv4 address are made.
    pod.run(&["sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1"])?;
    let refused = pod.attach().unwrap_err().to_string();

    assert!(refused.contains("IPv6"), "{refused}");
    assert_eq!(node.traces()?, before);
    assert_eq!(
        pod.run(&["ip", "-o", "link"])?.lines().count(),
        1,
        "only lo is left in the pod"
    );
    Ok(())
}

#[test]
fn a_second_add_for_an_attachment_is_refused_and_harms_nothing() -> Result {
    let lab = lab()?;
    let node = lab.node(1);
    let mut pod = node.add_pod("a")?;
    let before = node.traces()?;
    let address = pod.addresses()[0].to_string();

    let refused = pod.attach().unwrap_err().to_string();

    assert!(
        refused.contains("\"code\":100") && refused.contains("DEL"),
        "{refused}"
    );
    assert_eq!(node.traces()?, before);
    node.run(&["ping", "-c1", "-W2", &address]).map(drop)
}

#[test]
fn an_interface_that_exists_in_the_pod_is_refused_by_name() -> Result {
    let lab = lab()?;
    let node = lab.node(1);
    node.add_pod("first")?.delete()?;
    let mut pod = node.sandbox("a")?;
    pod.run(&[
        "ip", "link", "add", "eth0", "type", "veth", "peer", "name", "other",
    ])?;
    let before = node.traces()?;

    let refused = pod.attach().unwrap_err().to_string();

    assert!(refused.contains("eth0 exists already"), "{refused}");
    assert_eq!(node.traces()?, before);
    Ok(())
}
