//! podman, with CNI networks.

use std::net::{IpAddr, Ipv4Addr};

use lab::containers::Podman;
use lab::probe::PORT;
use lab::{DEADLINE, Place, Result, wait_until};

use crate::support::{SERVE, cluster, wait_back, wait_served};

const NETWORK: &str = "--network=flatland";
const MAC: &str = "02:00:00:00:00:07";

#[test]
fn podman_containers_reach_each_other_and_have_host_ports() -> Result {
    let lab = cluster(2)?;
    let [one, two] = [lab.node(1), lab.node(2)];
    let (on_one, on_two) = (Podman::set_up(one)?, Podman::set_up(two)?);
    let before = [one.attachment_state()?, two.attachment_state()?];
    let ports = ["--publish=8080:7070/tcp", "--publish=8080:7070/udp"];
    let a = on_one.run("a", &[NETWORK, ports[0], ports[1]], &SERVE)?;
    let b = on_two.run("b", &[NETWORK], &SERVE)?;
    let (of_a, of_b) = (a.addresses()?, b.addresses()?);
    assert_eq!((of_a.len(), of_b.len()), (2, 2));
    wait_served(&a, &of_b)?;
    wait_served(&b, &of_a)?;

    assert_eq!(a.place().seen_by(&of_b, PORT)?, of_a);
    assert_eq!(b.place().seen_by(&of_a, PORT)?, of_b);
    let node = one.addresses();
    assert_eq!(b.place().seen_by(node, 8080)?, of_b);
    assert_eq!(Place::from(&**two).seen_by(node, 8080)?, two.addresses());
    assert_eq!(Place::from(&**one).seen_by(node, 8080)?, node);
    let localhost = [IpAddr::V4(Ipv4Addr::LOCALHOST)];
    assert_eq!(Place::from(&**one).seen_by(&localhost, 8080)?, node[..1]);

    on_one.podman(&["rm", "--force", "--time=0", "a"])?;
    on_two.podman(&["rm", "--force", "--time=0", "b"])?;
    wait_back(one, &before[0])?;
    wait_back(two, &before[1])?;
    let rules = one.run(&["nft", "list", "ruleset"])?;
    assert!(!rules.contains("CNI-DN-"), "{rules}");
    Ok(())
}

#[test]
fn restarted_application_keeps_its_pods_address() -> Result {
    let lab = cluster(1)?;
    let node = lab.node(1);
    let podman = Podman::set_up(node)?;
    let before = node.attachment_state()?;
    podman.create_pod("pod", &[NETWORK])?;
    let app = podman.run("app", &["--pod=pod"], &SERVE)?;
    let addresses = app.addresses()?;
    let (attached, first) = (node.attachment_state()?, app.pid());

    podman.podman(&["restart", "--time=0", "app"])?;

    let app = podman.container("app")?;
    assert_ne!(app.pid(), first);
    assert_eq!(app.addresses()?, addresses);
    assert_eq!(node.attachment_state()?, attached);
    wait_until("answer at the same address", DEADLINE, || {
        Place::from(&**node).seen_by(&addresses, PORT).is_ok()
    })?;
    podman.podman(&["pod", "rm", "--force", "--time=0", "pod"])?;
    wait_back(node, &before)
}

#[test]
fn podman_container_gets_the_requested_address_and_mac() -> Result {
    let lab = cluster(1)?;
    let node = lab.node(1);
    let podman = Podman::set_up(node)?;
    let before = node.attachment_state()?;
    let owned = node.owned_subnets()?;
    let mut v4 = owned
        .iter()
        .filter_map(|subnet| subnet.strip_suffix(".0/24"));
    let address = format!("{}.77", v4.next().expect("an IPv4 subnet"));
    let flags = [format!("--ip={address}"), format!("--mac-address={MAC}")];

    let a = podman.run("a", &[NETWORK, &flags[0], &flags[1]], &SERVE)?;

    let addresses = a.addresses()?.into_iter();
    assert_eq!(addresses.map(|own| own.to_string()).next(), Some(address));
    let mac = podman.podman(&["exec", "a", "cat", "/sys/class/net/eth0/address"])?;
    assert_eq!(mac.trim(), MAC);
    podman.podman(&["rm", "--force", "--time=0", "a"])?;
    wait_back(node, &before)
}
