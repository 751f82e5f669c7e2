//! Nodes with several links.

use lab::{Families, Lab, Result};

use crate::support::{advertised, plug_in, wait_route};

#[test]
fn peer_on_two_links_has_next_hop_on_the_working_one() -> Result {
    let lab = Lab::builder().nodes(2).families(Families::V4).start()?;
    lab.run(&["ip", "link", "add", "second", "up", "type", "bridge"])?;
    let [one, two] = [lab.node(1), lab.node(2)];
    plug_in(&lab, one, "172.16.0.11/24")?;
    plug_in(&lab, two, "172.16.0.12/24")?;
    // A container bridge is a link with an address too, but leads to no other machine.
    two.run(&["ip", "link", "add", "docker0", "up", "type", "bridge"])?;
    two.run(&["ip", "address", "add", "172.17.0.1/16", "dev", "docker0"])?;
    lab.start_routed()?;
    wait_route(one, two, "192.168.1.12 dev eth0")?;
    let addresses = advertised(&lab, "n2")?;
    assert!(
        addresses.contains(&"172.16.0.12".to_owned()),
        "{addresses:?}"
    );
    assert!(
        !addresses.contains(&"172.17.0.1".to_owned()),
        "{addresses:?}"
    );

    // First without a carrier, as if the cable was pulled; then with the link down.
    lab.run(&["ip", "link", "set", "n1", "down"])?;
    wait_route(one, two, "172.16.0.12 dev eth1")?;
    lab.run(&["ip", "link", "set", "n1", "up"])?;
    wait_route(one, two, "192.168.1.12 dev eth0")?;
    one.run(&["ip", "link", "set", "eth0", "down"])?;
    wait_route(one, two, "172.16.0.12 dev eth1")?;
    let (a, b) = (one.add_pod("a")?, two.add_pod("b")?);
    two.run(&["ip", "link", "set", "eth0", "down"])?;
    wait_route(two, one, "172.16.0.11 dev eth1")?;
    let target = b.addresses()[0].to_string();
    a.run(&["ping", "-c1", "-W5", &target]).map(drop)
}
