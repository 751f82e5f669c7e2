//! Machines that are copies of each other: one machine id, one node name.

use std::time::{Duration, Instant};

use lab::{DEADLINE, Lab, Node, Result, wait_until};
use nix::sys::signal::Signal;

const ID: &str = "11111111111111111111111111111111";
const OTHER_ID: &str = "22222222222222222222222222222222";
const BASE: &str = "/flatland/flatland/";
const CONFLIST: &str = "/etc/flatland/10-flatland.conflist";
const CLONE: &str = "the same machine-id: a clone?";

/// Two machines that both think they are n1, the second with this machine id.
fn twins(second: &str) -> Result<Lab> {
    let lab = Lab::builder().nodes(2).start()?;
    for (node, id) in [(lab.node(1), ID), (lab.node(2), second)] {
        node.write("/etc/machine-id", format!("{id}\n"))?;
    }
    Ok(lab)
}

fn start(node: &Node) -> Result {
    node.spawn_routed(&["--node-name", "n1", "--presence-ttl", "3"])
}

fn presence(lab: &Lab) -> String {
    let key = format!("{BASE}presence/n1");
    lab.etcd()[0].ctl(&["get", &key]).unwrap_or_default()
}

fn wait_presence(lab: &Lab, address: &str) -> Result {
    let is_there = || presence(lab).contains(address);
    wait_until(format!("presence of {address}"), DEADLINE, is_there)
}

fn revision(lab: &Lab) -> Result<u64> {
    let json = lab.etcd()[0].ctl(&["get", "x", "-w", "json"])?;
    let (_, rest) = json.split_once("\"revision\":").expect("a revision");
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    Ok(digits.parse().expect("a number"))
}

/// The second is refused, says why with both addresses, and owns nothing.
fn assert_refused(node: &Node) -> Result {
    node.wait_log("cannot join the network yet")?;
    let log = node.routed_log();
    for part in [
        ID,
        "192.168.1.11",
        "192.168.1.12",
        CLONE,
        "systemd-machine-id-setup",
    ] {
        assert!(log.contains(part), "{part} in {log}");
    }
    assert!(!node.ready() && node.owned_subnets().is_err());
    let status = node.routed_command(&["status"])?.stdout;
    assert!(status.contains(CLONE), "{status}");
    let doctor = node
        .routed_command(&["doctor", "--conflist", CONFLIST])?
        .stdout;
    assert!(
        doctor.contains("which is present at 192.168.1.1"),
        "{doctor}"
    );
    Ok(())
}

fn hands_out_nothing(node: &Node) -> Result {
    wait_until("nothing to hand out", DEADLINE, || {
        node.owned_subnets().is_ok_and(|owned| owned.is_empty())
    })
    .map_err(|error| error.doing(node.routed_log()))
}

#[test]
fn clone_is_refused_while_the_first_is_present() -> Result {
    let lab = twins(ID)?;
    let [one, two] = [lab.node(1), lab.node(2)];
    start(one)?;
    one.wait_ready()?;
    wait_presence(&lab, "192.168.1.11")?;
    let before = lab.etcd()[0].ctl(&["get", "--prefix", BASE])?;
    start(two)?;
    assert_refused(two)?;
    // The plugin does not get a subnet behind its back.
    let path = "/etc/cni/net.d/10-flatland.conflist";
    two.write(path, one.read(path)?)?;
    let refused = two.add_pod("p").map(drop).expect_err("a clone");
    assert!(refused.to_string().contains(CLONE), "{refused}");
    two.run(&["rm", path])?;
    let after = lab.etcd()[0].ctl(&["get", "--prefix", BASE])?;
    assert_eq!(after, before);

    // Once the first has stopped, its name is free.
    one.end_routed(Signal::SIGTERM)?;
    two.wait_ready()?;
    wait_presence(&lab, "192.168.1.12")?;
    assert_eq!(two.owned_subnets()?, one.owned_subnets()?);
    Ok(())
}

#[test]
fn clones_that_start_at_once_become_one_node() -> Result {
    let lab = twins(ID)?;
    let [one, two] = [lab.node(1), lab.node(2)];
    start(one)?;
    start(two)?;
    wait_until("a node", DEADLINE, || one.ready() || two.ready())?;
    let (node, other) = if one.ready() { (one, two) } else { (two, one) };
    assert_refused(other)?;
    assert!(!node.owned_subnets()?.is_empty());
    // A fight over the record would write hundreds of revisions a second.
    let (before, began) = (revision(&lab)?, Instant::now());
    wait_until("three seconds", DEADLINE, || {
        began.elapsed() > Duration::from_secs(3)
    })?;
    let written = revision(&lab)? - before;
    assert!(written <= 3, "{written} revisions");
    Ok(())
}

#[test]
fn restart_after_a_kill_is_not_refused() -> Result {
    let lab = twins(ID)?;
    let one = lab.node(1);
    one.spawn_routed(&["--node-name", "n1", "--presence-ttl", "3600"])?;
    one.wait_ready()?;
    wait_presence(&lab, "192.168.1.11")?;
    let owned = one.owned_subnets()?;
    for reboots in [false, true] {
        one.end_routed(Signal::SIGKILL)?;
        if reboots {
            one.run(&["rm", "-r", "/run/flatland"])?;
        }
        one.run(&["rm", "/etc/cni/net.d/10-flatland.conflist"])?;
        start(one)?;
        one.wait_ready()?;
        assert_eq!(one.owned_subnets()?, owned);
    }
    assert_eq!(one.count_logged("cannot join"), 0);
    Ok(())
}

/// Cuts the first off from etcd until its presence is gone; the second takes the name meanwhile.
fn first_comes_back(second: &str) -> Result {
    let lab = twins(second)?;
    let [one, two] = [lab.node(1), lab.node(2)];
    start(one)?;
    one.wait_ready()?;
    wait_presence(&lab, "192.168.1.11")?;
    let pod = one.add_pod("old")?;
    let rules = "table ip cut { chain in { type filter hook input priority 0; \
                 ip saddr 192.168.1.2 drop; }; }";
    one.run_with(&["nft", "-f", "-"], rules.as_bytes())?
        .success()?;
    wait_until("its presence to go", DEADLINE, || presence(&lab).is_empty())?;
    start(two)?;
    two.wait_ready()?;
    wait_presence(&lab, "192.168.1.12")?;

    one.run(&["nft", "delete", "table", "ip", "cut"])?;
    hands_out_nothing(one)?;
    one.wait_log(&format!("{} (container old)", pod.addresses()[0]))?;
    let refused = one.add_pod("new").map(drop).expect_err("the name is taken");
    assert!(refused.to_string().contains(second), "{refused}");
    wait_presence(&lab, "192.168.1.12")?;
    two.add_pod("new").map(drop)
}

#[test]
fn machine_that_lost_its_name_while_cut_off_gives_way() -> Result {
    first_comes_back(OTHER_ID)
}

#[test]
fn machine_whose_clone_came_while_cut_off_gives_way() -> Result {
    first_comes_back(ID)
}

/// A program that puts an old record back, for ever.
#[test]
fn record_that_another_writer_changes_is_not_a_loop() -> Result {
    let lab = twins(OTHER_ID)?;
    let one = lab.node(1);
    start(one)?;
    one.wait_ready()?;
    wait_presence(&lab, "192.168.1.11")?;
    let before = revision(&lab)?;
    let (began, mut puts) = (Instant::now(), 0);
    while began.elapsed() < Duration::from_secs(6) {
        let record = format!(
            r#"{{"addresses":["192.168.1.{}"],"machineId":"{ID}"}}"#,
            100 + puts % 50
        );
        lab.etcd()[0].ctl(&["put", &format!("{BASE}nodes/n1"), &record])?;
        puts += 1;
    }
    let written = revision(&lab)? - before - puts;
    assert!(written <= 10, "{written} revisions in 6 s beside {puts}");
    one.wait_log("keeps changing the keys of node n1 in etcd; last writer: machine 1111")?;
    let status = one.routed_command(&["status"])?.stdout;
    assert!(status.contains("last writer: machine 1111"), "{status}");
    assert_eq!(one.count_logged("keeps changing the keys"), 1);
    // When it stops, the record is right again.
    wait_until("the record", DEADLINE, || {
        let record = lab.etcd()[0].ctl(&["get", &format!("{BASE}nodes/n1")]);
        record.is_ok_and(|record| record.contains("192.168.1.11\""))
    })
}
