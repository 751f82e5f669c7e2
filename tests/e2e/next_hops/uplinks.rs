//! Nodes whose address is not on the link that carries their traffic.

use lab::{DEADLINE, Families, Lab, Node, Result, wait_until};

use crate::support::{advertised, reaches, serve, wait_route};

/// Two nodes with BGP: each has its address on `inside`, which leads nowhere, and reaches that of the
/// other over eth0, which has none.
fn start_lab(inside: &str) -> Result<Lab> {
    let mut lab = Lab::builder().nodes(2).families(Families::V4).start()?;
    let mut conflist = lab.conflist();
    conflist["plugins"][0]["crossSubnet"] = "gateway".into();
    let etcd = lab.etcd()[0].machine();
    etcd.run(&["ip", "route", "add", "10.0.0.0/24", "via", "192.168.1.1"])?;
    for number in 1..=2 {
        let address = format!("10.0.0.{number}");
        lab.run(&["ip", "route", "add", &address, "dev", "switch"])?;
        let node = lab.node_mut(number);
        node.set_conflist(&conflist)?;
        if inside != "lo" {
            node.run(&["ip", "link", "add", inside, "up", "type", "bridge"])?;
        }
        let peer = format!("10.0.0.{}", 3 - number);
        let own = format!("{address}/32");
        for words in [
            &["address", "add", &own, "dev", inside][..],
            &["-4", "address", "flush", "dev", "eth0"],
            &["route", "add", &peer, "dev", "eth0", "src", &address],
            &[
                "route",
                "add",
                "192.168.1.1",
                "dev",
                "eth0",
                "src",
                &address,
            ],
            &["route", "add", "default", "via", "192.168.1.1"],
        ] {
            node.run(&[&["ip"], words].concat())?;
        }
    }
    lab.run(&["sysctl", "-qw", "net.ipv4.ip_forward=1"])?;
    Ok(lab)
}

/// The nodes reach each other's pods, with the MTU of eth0; reports and logs name eth0.
fn assert_all_is_well(lab: &Lab, arguments: &[&str]) -> Result {
    let [one, two] = [lab.node(1), lab.node(2)];
    wait_route(one, two, "10.0.0.2 dev eth0")?;
    wait_route(two, one, "10.0.0.1 dev eth0")?;
    assert_eq!(advertised(lab, "n1")?[0], "10.0.0.1");
    let (a, b) = (one.add_pod("a")?, two.add_pod("b")?);
    let _server = serve(&b)?;
    let link = a.run(&["ip", "link", "show", "eth0"])?;
    assert!(link.contains("mtu 1500"), "{link}");
    reaches(&|words| a.run(words), &a.addresses(), b.addresses()[0])?;
    let pod = a.addresses()[0].to_string();
    let route = one.run(&["ip", "route", "show", &pod])?;
    assert!(route.contains("src 10.0.0.1"), "{route}");

    let words = [
        &["doctor", "--conflist", "/etc/flatland/10-flatland.conflist"],
        arguments,
    ]
    .concat();
    let doctor = one.routed_command(&words)?.stdout;
    assert!(
        doctor.contains("ok       MTU: 1500, that of eth0\n"),
        "{doctor}"
    );
    wait_until("status that is well", DEADLINE, || is_well(one))?;
    let log = one.routed_log();
    assert!(log.contains("dev eth0") && !log.contains("dev if"), "{log}");
    Ok(())
}

fn is_well(node: &Node) -> bool {
    let status = node.routed_command(&["status"]);
    status.is_ok_and(|status| status.status.success())
}

#[test]
fn uplink_of_node_with_address_on_loopback_is_the_peers_link() -> Result {
    let lab = start_lab("lo")?;
    for node in lab.nodes() {
        let address = format!("10.0.0.{}", &node.name()[1..]);
        node.spawn_routed(&["--node-address", &address])?;
    }
    lab.nodes().iter().try_for_each(Node::wait_ready)?;
    assert_all_is_well(&lab, &["--node-address", "10.0.0.1"])
}

#[test]
fn uplink_without_address_advertises_the_source_of_its_route() -> Result {
    let lab = start_lab("inside")?;
    lab.start_routed()?;
    assert_all_is_well(&lab, &[])
}
