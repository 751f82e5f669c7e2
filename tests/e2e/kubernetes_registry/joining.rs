//! Nodes that join, and pods on them.

use lab::{DEADLINE, Result, wait_until};
use serde_json::Value;

use crate::cluster::{Cluster, cidrs, wait_peer_routes};

#[test]
fn nodes_with_pod_cidrs_reach_each_others_pods_without_any_configuration() -> Result {
    let cluster = Cluster::start(3)?;
    let mut pods = Vec::new();
    for (number, node) in cluster.lab.nodes().iter().enumerate() {
        assert_eq!(node.owned_subnets()?, cidrs(number + 1));
        pods.push(node.add_pod("a")?);
    }
    for from in &pods {
        for address in pods.iter().flat_map(lab::Pod::addresses) {
            from.run(&["ping", "-c1", "-W2", &address.to_string()])?;
        }
    }
    // What the pod CIDRs of three nodes have in common is in the installed conflist.
    let installed = cluster
        .node(1)
        .read("/etc/cni/net.d/10-flatland.conflist")?;
    let installed: Value = serde_json::from_str(&installed).unwrap();
    let ipam = &installed["plugins"][0]["ipam"];
    assert_eq!(ipam["podCIDRs"][0], "10.244.0.0/22");
    assert_eq!(ipam["podCIDRs"][1], "fd00:10:244::/78");
    Ok(())
}

#[test]
fn node_that_joins_later_widens_the_network_without_harm_to_pods() -> Result {
    let cluster = Cluster::start(2)?;
    let (a, b) = (cluster.node(1).add_pod("a")?, cluster.node(2).add_pod("b")?);
    let address = b.addresses()[0].to_string();
    a.run(&["ping", "-c1", "-W2", &address])?;
    let ping = a.spawn("ping", &["ping", "-i", "0.05", "-W1", &address])?;

    // Outside of 10.244.0.0/22, which the first two span.
    let far = vec![
        "10.244.77.0/24".to_owned(),
        "fd00:10:244:0:77::/80".to_owned(),
    ];
    let mut object = cluster.object(1, &far)?;
    object["metadata"]["name"] = "n9".into();
    object["status"]["addresses"][0]["address"] = "192.168.1.19".into();
    cluster.put(&object)?;
    for node in cluster.lab.nodes() {
        node.wait_log("starting over")?;
        wait_until("the route to the new node", DEADLINE, || {
            node.routes()
                .is_ok_and(|routes| routes.iter().any(|it| it.starts_with("10.244.77.0/24")))
        })
        .map_err(|error| error.doing(node.routed_log()))?;
    }

    ping.signal(nix::sys::signal::Signal::SIGINT)?;
    wait_until("the end of ping", DEADLINE, || !ping.running())?;
    let log = ping.log();
    assert!(log.contains(" 0% packet loss"), "{log}");
    Ok(())
}

#[test]
fn node_object_that_goes_takes_its_routes_along_and_comes_back() -> Result {
    let cluster = Cluster::start(3)?;
    cluster.api.delete("nodes", "", "n3");
    wait_peer_routes(cluster.node(1), &["10.244.2.0/24", "fd00:10:244:0:2::/80"])?;
    cluster.register(3, &cidrs(3))?;
    cluster.lab.wait_routes()
}
