//! What becomes of a node whose own Node object is missing, incomplete or another.

use lab::{DEADLINE, Result, wait_until};
use nix::sys::signal::Signal;

use crate::cluster::{Cluster, cidrs};

/// What ADD answers on a node.
fn add(cluster: &Cluster, name: &str) -> Result<String> {
    let pod = cluster.node(1).sandbox(name)?;
    let runtime = lab::Runtime::of(pod.machine())?;
    Ok(match runtime.add(pod.target()) {
        Ok(attached) => {
            runtime.del(pod.target(), Some(&attached))?;
            "an address".to_owned()
        }
        Err(error) => error.to_string(),
    })
}

#[test]
fn node_without_pod_cidrs_says_what_to_do_and_joins_when_it_has_them() -> Result {
    let cluster = Cluster::boot(2)?;
    cluster.register(2, &[])?;
    cluster.node(1).start_routed()?;
    cluster.node(2).spawn_routed(&[])?;
    let two = cluster.node(2);
    two.wait_log("Node n2 has no podCIDRs")?;
    two.wait_log("--allocate-node-cidrs")?;
    let status = two.routed_command(&["status"])?;
    assert!(
        status.stdout.contains("--pod-network-cidr"),
        "{}",
        status.stdout
    );

    cluster.register(2, &cidrs(2))?;
    two.wait_ready()?;
    cluster.lab.wait_routes()
}

#[test]
fn node_that_is_not_registered_says_under_which_name_it_was_looked_for() -> Result {
    let cluster = Cluster::boot(1)?;
    cluster.api.delete("nodes", "", "n1");
    // Another node, so that the cluster is not empty.
    let mut other = cluster.object(1, &cidrs(7))?;
    other["metadata"]["name"] = "n7".into();
    other["status"]["nodeInfo"]["machineID"] = "7".into();
    cluster.put(&other)?;
    cluster.node(1).spawn_routed(&[])?;
    cluster.node(1).wait_log("there is no Node n1")?;
    cluster.node(1).wait_log("NODE_NAME")
}

#[test]
fn address_is_handed_out_only_after_routed_saw_the_pod_cidrs_in_this_boot() -> Result {
    let cluster = Cluster::start(1)?;
    let node = cluster.node(1);
    assert_eq!(add(&cluster, "a")?, "an address");

    // A reboot: the conflist and what is in /var stay, /run goes.
    node.end_routed(Signal::SIGKILL)?;
    node.run(&["sh", "-c", "rm -rf /run/flatland/*"])?;
    cluster.api.stop();
    let refused = add(&cluster, "b")?;
    assert!(
        refused.contains("since this boot") && refused.contains("11"),
        "{refused}"
    );

    node.spawn_routed(&[])?;
    node.wait_log("the registry is out of reach")?;
    let refused = add(&cluster, "c")?;
    assert!(refused.contains("since this boot"), "{refused}");

    cluster.api.listen()?;
    node.wait_log("condition FlatlandReady")?;
    assert_eq!(add(&cluster, "d")?, "an address");
    Ok(())
}

#[test]
fn node_made_anew_with_another_pod_cidr_hands_out_nothing_of_the_old_one() -> Result {
    let cluster = Cluster::start(2)?;
    let two = cluster.node(2);
    let stranded = two.add_pod("old")?;
    cluster.api.delete("nodes", "", "n2");
    cluster.register(2, &cidrs(3))?;
    wait_until("the new subnets", DEADLINE, || {
        two.owned_subnets().is_ok_and(|owned| owned == cidrs(3))
    })
    .map_err(|error| error.doing(two.routed_log()))?;
    two.wait_log("subnet 10.244.2.0/24 does not belong to node n2 any more")?;
    // The pod that keeps an address of the old subnet is named.
    two.wait_log(&stranded.addresses()[0].to_string())?;
    let pod = two.add_pod("new")?;
    for address in pod.addresses() {
        let text = address.to_string();
        assert!(
            text.starts_with("10.244.3.") || text.starts_with("fd00:10:244:0:3:"),
            "{text}"
        );
    }
    cluster.lab.wait_routes()
}

#[test]
fn node_made_anew_without_pod_cidrs_hands_out_nothing_of_the_old() -> Result {
    let cluster = Cluster::start(2)?;
    let one = cluster.node(1);
    let stranded = one.add_pod("old")?;
    cluster.api.delete("nodes", "", "n1");
    cluster.register(1, &[])?;
    wait_until("no subnets", DEADLINE, || {
        one.owned_subnets().is_ok_and(|owned| owned.is_empty())
    })
    .map_err(|error| error.doing(one.routed_log()))?;
    one.wait_log("Node n1 has no podCIDRs")?;
    one.wait_log(&stranded.addresses()[0].to_string())?;
    let refused = add(&cluster, "new")?;
    assert!(refused.contains("11"), "{refused}");

    cluster.register(1, &cidrs(3))?;
    wait_until("the new subnets", DEADLINE, || {
        one.owned_subnets().is_ok_and(|owned| owned == cidrs(3))
    })
    .map_err(|error| error.doing(one.routed_log()))?;
    assert_eq!(add(&cluster, "newer")?, "an address");
    Ok(())
}

#[test]
fn pod_cidr_that_is_also_of_another_node_stays_with_the_older_one() -> Result {
    let cluster = Cluster::start(2)?;
    // Both are older than what follows.
    let mut thief = cluster.object(1, &cidrs(2))?;
    thief["metadata"]["name"] = "thief".into();
    thief["metadata"]["creationTimestamp"] = "2036-01-01T00:00:00Z".into();
    thief["status"]["nodeInfo"]["machineID"] = "9".into();
    thief["status"]["addresses"][0]["address"] = "192.168.1.99".into();
    cluster.put(&thief)?;
    let one = cluster.node(1);
    wait_until("the ignored record", DEADLINE, || {
        let status = one.routed_command(&["status"]);
        status.is_ok_and(|status| status.stdout.contains("belongs to the older node n2"))
    })
    .map_err(|error| error.doing(one.routed_log()))?;
    cluster.lab.wait_routes()
}

#[test]
fn machine_that_is_not_the_one_of_the_node_object_adds_no_pods() -> Result {
    let cluster = Cluster::boot(1)?;
    let mut object = cluster.object(1, &cidrs(1))?;
    object["status"]["nodeInfo"]["machineID"] = "another".into();
    cluster.put(&object)?;
    let node = cluster.node(1);
    node.spawn_routed(&[])?;
    node.wait_log("node name n1 is held by machine another")?;
    assert!(!node.ready());

    cluster.register(1, &cidrs(1))?;
    node.wait_ready()
}

#[test]
fn full_node_says_that_kubernetes_gives_no_further_subnet() -> Result {
    let cluster = Cluster::boot(1)?;
    cluster.register(1, &["10.244.1.0/29".to_owned()])?;
    let node = cluster.node(1);
    node.start_routed()?;
    let mut pods = Vec::new();
    let refused = loop {
        let pod = node.sandbox(&format!("p{}", pods.len()))?;
        let runtime = lab::Runtime::of(pod.machine())?;
        match runtime.add(pod.target()) {
            Ok(_) => pods.push(pod),
            Err(error) => break error.to_string(),
        }
    };
    assert!(pods.len() >= 5, "{}: {refused}", pods.len());
    assert!(
        refused.contains("gives node n1 its podCIDRs and no others"),
        "{refused}"
    );
    // Nothing is tried that cannot succeed.
    node.wait_log("few addresses are left in 10.244.1.0/29: Kubernetes gives")?;
    assert_eq!(node.count_logged("; trying again"), 0);
    Ok(())
}
