//! `routed forget`: an operator removes nodes from the network.

use std::time::{Duration, Instant};

use lab::{DEADLINE, Lab, Node, Result, wait_until};
use nix::sys::signal::Signal;

fn raise(nodes: u8) -> Result<Lab> {
    let lab = Lab::builder().nodes(nodes).start()?;
    lab.start_routed()?;
    lab.wait_routes()?;
    Ok(lab)
}

fn has_route(node: &Node, subnet: &str) -> bool {
    let start = format!("{subnet} via");
    node.routes()
        .is_ok_and(|routes| routes.iter().any(|route| route.starts_with(&start)))
}

fn has_routes(node: &Node, subnets: &[String]) -> bool {
    subnets.iter().any(|subnet| has_route(node, subnet))
}

/// The key of a claim.
fn key(subnet: &str) -> String {
    format!("/flatland/flatland/subnets/{}", subnet.replace('/', "-"))
}

#[test]
fn routes_of_a_forgotten_node_go_within_a_second() -> Result {
    let lab = raise(3)?;
    let [one, two, three] = [lab.node(1), lab.node(2), lab.node(3)];
    let subnets = three.owned_subnets()?;
    three.end_routed(Signal::SIGTERM)?;
    assert!(has_routes(one, &subnets), "a stop withdraws nothing");

    let start = Instant::now();
    let printed = one.routed_command(&["forget", "n3"])?.success()?;
    wait_until("withdrawal", DEADLINE, || {
        !has_routes(one, &subnets) && !has_routes(two, &subnets)
    })?;

    assert!(
        start.elapsed() < Duration::from_secs(1),
        "{:?}",
        start.elapsed()
    );
    assert!(
        subnets.iter().all(|subnet| printed.contains(subnet)),
        "{printed}"
    );
    assert!(one.routed_log().contains("n3 left"), "{}", one.routed_log());
    let keys = lab.etcd()[0].keys("/flatland/flatland/")?;
    assert_eq!(keys.len(), 1 + 2 * 4, "{keys:?}");
    Ok(())
}

#[test]
fn forget_of_a_present_or_unknown_node_is_refused() -> Result {
    let lab = raise(2)?;
    let before = lab.etcd()[0].keys("/flatland/flatland/")?;

    let present = lab.node(1).routed_command(&["forget", "n2"])?;
    assert_eq!(present.status.code(), Some(75));
    for part in [
        "192.168.1.12",
        " since 20",
        " UTC",
        "--force",
        "unreachable",
    ] {
        assert!(present.stderr.contains(part), "{}", present.stderr);
    }
    let unknown = lab.node(1).routed_command(&["forget", "n7"])?;
    assert_eq!(unknown.status.code(), Some(1));
    assert!(
        unknown.stderr.contains("its nodes: n1, n2"),
        "{}",
        unknown.stderr
    );

    assert_eq!(lab.etcd()[0].keys("/flatland/flatland/")?, before);
    Ok(())
}

#[test]
fn present_node_forgotten_by_force_claims_its_subnets_again() -> Result {
    let lab = raise(2)?;
    let subnets = lab.node(2).owned_subnets()?;
    let pod = lab.node(2).add_pod("a")?;

    lab.node(1)
        .routed_command(&["forget", "--force", "n2"])?
        .success()?;
    wait_until("the node's keys", DEADLINE, || {
        let keys = lab.etcd()[0].keys("/flatland/flatland/");
        keys.is_ok_and(|keys| {
            keys.contains(&"/flatland/flatland/presence/n2".to_owned())
                && subnets.iter().all(|subnet| keys.contains(&key(subnet)))
        })
    })
    .map_err(|error| error.doing(lab.node(2).routed_log()))?;

    lab.wait_routes()?;
    for address in pod.addresses() {
        lab.node(1)
            .run(&["ping", "-c1", "-W2", &address.to_string()])?;
    }
    lab.node(2).wait_log("was forgotten")
}

#[test]
fn forgotten_node_does_not_use_subnets_of_new_owners() -> Result {
    let lab = raise(2)?;
    let two = lab.node(2);
    let pod = two.add_pod("old")?;
    let [v4, v6] = &two.owned_subnets()?[..] else {
        panic!("two subnets");
    };
    two.end_routed(Signal::SIGTERM)?;
    lab.node(1).routed_command(&["forget", "n2"])?.success()?;
    lab.etcd()[0].ctl(&["put", &key(v4), r#"{"node":"n1"}"#])?;

    two.spawn_routed(&[])?;
    two.wait_log(&format!("{v4} belongs to node n1 now"))?;
    wait_until("a new subnet", DEADLINE, || {
        two.owned_subnets()
            .is_ok_and(|owned| owned.len() == 2 && !owned.contains(v4) && owned.contains(v6))
    })?;

    let old = pod.addresses()[0];
    two.wait_log(&format!("{old} (container old)"))?;
    let new = two.add_pod("new")?;
    let subnet: ipnet::IpNet = v4.parse().expect("a subnet");
    assert!(
        !subnet.contains(&new.addresses()[0]),
        "{:?}",
        new.addresses()
    );
    Ok(())
}

#[test]
fn running_node_does_not_use_a_subnet_it_has_lost() -> Result {
    let lab = raise(2)?;
    let two = lab.node(2);
    let [lost, kept] = &two.owned_subnets()?[..] else {
        panic!("two subnets");
    };
    lab.etcd()[0].ctl(&["put", &key(lost), r#"{"node":"n1"}"#])?;
    wait_until("a new subnet", DEADLINE, || {
        two.owned_subnets()
            .is_ok_and(|owned| owned.len() == 2 && !owned.contains(lost) && owned.contains(kept))
    })
    .map_err(|error| error.doing(two.routed_log()))?;

    two.wait_log(&format!("{lost} belongs to node n1 now"))?;
    let subnet: ipnet::IpNet = lost.parse().expect("a subnet");
    let new = two.add_pod("new")?;
    assert!(!new.addresses().iter().any(|it| subnet.contains(it)));
    Ok(())
}

#[test]
fn forgotten_node_without_a_free_subnet_refuses_add() -> Result {
    let mut lab = Lab::builder().nodes(2).start()?;
    let mut conflist = lab.conflist();
    // Two subnets of each family, one for each node.
    conflist["plugins"][0]["ipam"]["podCIDRs"] =
        serde_json::json!(["10.244.0.0/23", "fd00:10:244::/79"]);
    for number in [1, 2] {
        lab.node_mut(number).set_conflist(&conflist)?;
    }
    lab.start_routed()?;
    let two = lab.node(2);
    let lost = two.owned_subnets()?;
    two.end_routed(Signal::SIGTERM)?;
    lab.node(1).routed_command(&["forget", "n2"])?.success()?;
    for subnet in &lost {
        lab.etcd()[0].ctl(&["put", &key(subnet), r#"{"node":"n1"}"#])?;
    }

    two.spawn_routed(&[])?;
    wait_until("no subnet", DEADLINE, || {
        two.owned_subnets().is_ok_and(|owned| owned.is_empty())
    })
    .map_err(|error| error.doing(two.routed_log()))?;

    let refused = two.add_pod("a").map(drop).expect_err("there is no address");
    assert!(refused.to_string().contains("are claimed"), "{refused}");
    Ok(())
}

#[test]
fn routes_held_after_data_loss_go_when_node_is_forgotten() -> Result {
    let lab = raise(3)?;
    let [one, two, three] = [lab.node(1), lab.node(2), lab.node(3)];
    let subnets = three.owned_subnets()?;
    three.end_routed(Signal::SIGKILL)?;
    lab.etcd()[0].ctl(&["del", "--prefix", "/flatland/"])?;
    for node in [one, two] {
        node.wait_log("keeping all routes")?;
        wait_until("own claims again", DEADLINE, || {
            let keys = lab.etcd()[0].keys("/flatland/flatland/subnets/");
            keys.is_ok_and(|keys| keys.len() == 4)
        })?;
    }
    assert!(
        subnets
            .iter()
            .all(|it| has_route(one, it) && has_route(two, it))
    );

    let printed = one.routed_command(&["forget", "n3"])?.success()?;
    assert!(
        subnets.iter().all(|subnet| printed.contains(subnet)),
        "{printed}"
    );
    wait_until("withdrawal", DEADLINE, || {
        // A node that was still reading the registry again may have missed it.
        let again = |node: &Node| node.routed_command(&["forget", "n3"]).is_ok();
        [one, two]
            .iter()
            .all(|node| !has_routes(node, &subnets) || (again(node) && !has_routes(node, &subnets)))
    })
    .map_err(|error| error.doing(two.routed_log()))?;
    lab.etcd()[0]
        .keys("/flatland/flatland/subnets/")
        .map(|keys| assert_eq!(keys.len(), 4, "{keys:?}"))
}

#[test]
fn forget_of_a_held_subnet_works_and_of_an_owned_one_fails() -> Result {
    let lab = raise(2)?;
    let subnets = lab.node(2).owned_subnets()?;
    let refused = lab.node(1).routed_command(&["forget", &subnets[0]])?;
    assert_eq!(refused.status.code(), Some(64));
    assert!(
        refused.stderr.contains("belongs to node n2"),
        "{}",
        refused.stderr
    );

    lab.node(2).end_routed(Signal::SIGKILL)?;
    lab.etcd()[0].ctl(&["del", "--prefix", "/flatland/"])?;
    lab.node(1).wait_log("keeping all routes")?;
    wait_until("own claims again", DEADLINE, || {
        let keys = lab.etcd()[0].keys("/flatland/flatland/subnets/");
        keys.is_ok_and(|keys| keys.len() == 2)
    })?;
    wait_until("withdrawal", DEADLINE, || {
        // A node that is still reading the registry again may miss it.
        let again = lab.node(1).routed_command(&["forget", &subnets[0]]);
        again.is_ok_and(|again| again.status.success()) && !has_route(lab.node(1), &subnets[0])
    })?;
    assert!(has_route(lab.node(1), &subnets[1]));
    Ok(())
}

/// Simulates a reboot: deletes what is in /run, and keeps the conflist and the subnets.
fn reboot(node: &Node) -> Result {
    node.end_routed(Signal::SIGKILL)?;
    node.run(&["rm", "-r", "/run/flatland"]).map(drop)
}

/// Forgets the second node, and gives its subnets to the first.
fn give_away(lab: &Lab, subnets: &[String]) -> Result {
    lab.node(1)
        .routed_command(&["forget", "--force", "n2"])?
        .success()?;
    for subnet in subnets {
        lab.etcd()[0].ctl(&["put", &key(subnet), r#"{"node":"n1"}"#])?;
    }
    Ok(())
}

#[test]
fn node_forgotten_while_off_asks_etcd_before_its_first_add() -> Result {
    let lab = raise(2)?;
    let two = lab.node(2);
    let lost = two.owned_subnets()?;
    reboot(two)?;
    give_away(&lab, &lost)?;

    // The runtime starts before routed.
    let pod = two.add_pod("early")?;
    for subnet in lost {
        let subnet: ipnet::IpNet = subnet.parse().expect("a subnet");
        let addresses = pod.addresses();
        assert!(
            !addresses.iter().any(|it| subnet.contains(it)),
            "{addresses:?} of {subnet}"
        );
    }
    Ok(())
}

#[test]
fn rebooted_node_without_etcd_uses_its_former_subnets() -> Result {
    let lab = raise(1)?;
    let node = lab.node(1);
    let owned = node.owned_subnets()?;
    reboot(node)?;
    lab.etcd()[0].stop()?;
    node.add_pod("first")?;
    assert_eq!(node.owned_subnets()?, owned);
    // Only the first ADD asks etcd.
    let start = Instant::now();
    node.add_pod("second")?;
    assert!(start.elapsed() < Duration::from_secs(2));
    Ok(())
}

#[test]
fn node_with_broken_flatland_claim_adds_pods_and_asks_later() -> Result {
    let lab = raise(2)?;
    let two = lab.node(2);
    let lost = two.owned_subnets()?;
    reboot(two)?;
    let claim = "/opt/cni/bin/flatland-claim";
    two.run(&["mv", claim, "/opt/flatland"])?;
    two.write(claim, "#!/bin/sh\nkill -9 $$\n")?;
    two.run(&["chmod", "+x", claim])?;
    two.add_pod("first")?.delete()?;
    assert_eq!(two.owned_subnets()?, lost);

    two.run(&["mv", "/opt/flatland/flatland-claim", claim])?;
    give_away(&lab, &lost)?;
    two.add_pod("second")?;
    let owned = two.owned_subnets()?;
    assert!(
        owned.iter().all(|subnet| !lost.contains(subnet)),
        "{owned:?}"
    );
    Ok(())
}
