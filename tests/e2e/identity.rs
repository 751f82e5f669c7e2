//! Node identity: two machines cannot be one node.

use std::net::IpAddr;

use lab::{DEADLINE, Lab, Node, Result, wait_until};
use nix::sys::signal::Signal;

const FIRST: &str = "11111111111111111111111111111111";
const SECOND: &str = "22222222222222222222222222222222";

/// Two machines with the node name n1.
fn machines_with_one_name() -> Result<Lab> {
    let lab = Lab::builder().nodes(2).start()?;
    for (node, id) in [(lab.node(1), FIRST), (lab.node(2), SECOND)] {
        node.write("/etc/machine-id", format!("{id}\n"))?;
    }
    Ok(lab)
}

fn start_as_n1(node: &Node) -> Result {
    node.spawn_routed(&["--node-name", "n1", "--presence-ttl", "3"])
}

fn wait_present(lab: &Lab) -> Result {
    wait_until("presence", DEADLINE, || {
        lab.etcd()[0]
            .keys("/flatland/flatland/presence/")
            .is_ok_and(|keys| !keys.is_empty())
    })
}

#[test]
fn second_machine_of_a_present_name_is_refused() -> Result {
    let lab = machines_with_one_name()?;
    let [one, two] = [lab.node(1), lab.node(2)];
    start_as_n1(one)?;
    one.wait_ready()?;
    wait_present(&lab)?;
    let before = lab.etcd()[0].ctl(&["get", "--prefix", "/flatland/flatland/"])?;

    start_as_n1(two)?;
    two.wait_log("cannot join the network yet")?;
    let log = two.routed_log();
    for part in [
        FIRST,
        SECOND,
        "192.168.1.11",
        "192.168.1.12",
        "node name n1",
    ] {
        assert!(log.contains(part), "{part} in {log}");
    }
    assert!(!two.ready() && two.owned_subnets().is_err());
    let after = lab.etcd()[0].ctl(&["get", "--prefix", "/flatland/flatland/"])?;
    assert_eq!(after, before);
    Ok(())
}

#[test]
fn node_name_of_a_gone_machine_is_taken_over_and_logged() -> Result {
    let lab = machines_with_one_name()?;
    let [one, two] = [lab.node(1), lab.node(2)];
    start_as_n1(one)?;
    one.wait_ready()?;
    wait_present(&lab)?;
    start_as_n1(two)?;
    two.wait_log("cannot join the network yet")?;

    // Its lease lasts three seconds longer.
    one.end_routed(Signal::SIGKILL)?;
    two.wait_ready()?;
    let took = format!("took over the name and the subnets of node n1 from machine {FIRST}");
    two.wait_log(&took)?;
    two.wait_log("(192.168.1.11")?;
    assert_eq!(two.owned_subnets()?, one.owned_subnets()?);
    Ok(())
}

#[test]
fn machine_whose_name_was_taken_over_adds_no_pods() -> Result {
    let lab = machines_with_one_name()?;
    let [one, two] = [lab.node(1), lab.node(2)];
    start_as_n1(one)?;
    one.wait_ready()?;
    let pod = one.add_pod("old")?;
    one.end_routed(Signal::SIGTERM)?;
    start_as_n1(two)?;
    two.wait_ready()?;
    wait_present(&lab)?;

    start_as_n1(one)?;
    loses_its_name(one, pod.addresses()[0])?;
    two.add_pod("new").map(drop)
}

/// The node that lost its name to the second machine names its affected pod, and adds no other.
fn loses_its_name(one: &Node, stranded: IpAddr) -> Result {
    wait_until("nothing to hand out", DEADLINE, || {
        one.owned_subnets().is_ok_and(|owned| owned.is_empty())
    })
    .map_err(|error| error.doing(one.routed_log()))?;
    one.wait_log(&format!("{stranded} (container old)"))?;
    let refused = one.add_pod("new").map(drop).expect_err("the name is taken");
    assert!(refused.to_string().contains(SECOND), "{refused}");
    Ok(())
}
#[test]
fn state_of_another_node_in_the_image_is_replaced() -> Result {
    let lab = Lab::builder().nodes(1).start()?;
    let one = lab.node(1);
    let golden = r#"{"cluster":"1","node":"golden","subnets":["10.244.9.0/24"]}"#;
    one.run(&["mkdir", "-p", "/var/lib/flatland/flatland"])?;
    one.write("/var/lib/flatland/flatland/subnets.json", golden)?;
    one.start_routed()?;
    one.wait_log("subnets.json is of node golden")?;
    assert!(!one.owned_subnets()?.contains(&"10.244.9.0/24".to_owned()));
    let mut status = String::new();
    wait_until("a well node", DEADLINE, || {
        let output = one.routed_command(&["status"]);
        status = output.map(|it| it.stdout).unwrap_or_default();
        !status.contains("golden") && !status.contains("not well")
    })
    .map_err(|error| error.doing(&status))?;
    one.add_pod("p").map(drop)
}
