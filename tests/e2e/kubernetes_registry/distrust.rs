//! A registry that is not believed: routes stay although their Nodes are missing.

use lab::apiserver::{Answer, Faults};
use lab::{DEADLINE, Result, wait_until};

use crate::cluster::{Cluster, cidrs, peer_routes, wait_peer_routes};

/// Waits until n1 says that it does not believe the registry, and checks that its routes stay.
fn wait_distrust(cluster: &Cluster, why: &str, routes: &[String]) -> Result {
    let one = cluster.node(1);
    one.wait_log(why)?;
    one.wait_log("keeping all routes")?;
    assert_eq!(peer_routes(one), routes);
    Ok(())
}

#[test]
fn empty_list_withdraws_nothing() -> Result {
    let cluster = Cluster::start(2)?;
    let routes = peer_routes(cluster.node(1));
    cluster.api.set_faults(Faults {
        then: Answer::EmptyList,
        verb: Some("list"),
        ..Faults::default()
    });
    cluster.api.expire_watches();
    wait_distrust(&cluster, "lacks this node's own claims", &routes)?;
    cluster.api.set_faults(Faults::default());
    cluster.api.expire_watches();
    cluster.node(1).wait_log("no route is held any more")
}

#[test]
fn all_nodes_deleted_withdraw_nothing() -> Result {
    let cluster = Cluster::start(2)?;
    let routes = peer_routes(cluster.node(1));
    for node in ["n1", "n2"] {
        cluster.api.delete("nodes", "", node);
    }
    wait_distrust(&cluster, "lacks this node's own claims", &routes)?;

    // Of n2, no Node comes back. A deletion that is believed withdraws its routes.
    let one = cluster.node(1);
    cluster.register(1, &cidrs(1))?;
    let forget = one.routed_command(&["forget", "10.244.2.0/24"])?;
    assert!(forget.stderr.contains("create one"), "{}", forget.stderr);
    assert_eq!(peer_routes(one), routes);
    cluster.register(2, &cidrs(2))?;
    one.wait_log("no route is held any more")?;
    cluster.api.delete("nodes", "", "n2");
    wait_peer_routes(one, &[])
}

#[test]
fn another_cluster_withdraws_nothing() -> Result {
    let cluster = Cluster::start(2)?;
    let routes = peer_routes(cluster.node(1));
    cluster.api.stop();
    cluster.api.replace_cluster(5_000_000);
    cluster.register(1, &cidrs(1))?;
    cluster.api.listen()?;
    wait_distrust(&cluster, "is another cluster", &routes)
}

#[test]
fn older_cluster_withdraws_nothing() -> Result {
    let cluster = Cluster::boot(2)?;
    cluster.api.delete("nodes", "", "n2");
    let saved = cluster.api.save();
    cluster.register(2, &cidrs(2))?;
    cluster.lab.start_routed()?;
    cluster.lab.wait_routes()?;
    let routes = peer_routes(cluster.node(1));
    cluster.api.stop();
    cluster.api.restore(&saved);
    cluster.api.listen()?;
    wait_distrust(&cluster, "older than revision", &routes)
}

#[test]
fn pod_cidrs_of_another_cluster_count_once_the_node_is_in_it() -> Result {
    let cluster = Cluster::start(2)?;
    let one = cluster.node(1);
    let (routes, starts) = (peer_routes(one), one.count_logged("starting over"));
    cluster.api.stop();
    cluster.api.replace_cluster(5_000_000);
    let mut stranger = cluster.object(1, &["10.50.0.0/24".to_owned()])?;
    stranger["metadata"]["name"] = "stranger".into();
    stranger["status"]["nodeInfo"]["machineID"] = "9".into();
    stranger["status"]["addresses"][0]["address"] = "192.168.1.99".into();
    cluster.put(&stranger)?;
    cluster.api.listen()?;
    one.wait_log("there is no Node n1")?;
    assert_eq!(one.count_logged("starting over"), starts);
    assert_eq!(peer_routes(one), routes);

    cluster.register(1, &["10.50.1.0/24".to_owned()])?;
    wait_until("the new cluster", DEADLINE, || {
        one.count_logged("starting over") > starts
            && one
                .owned_subnets()
                .is_ok_and(|owned| owned == ["10.50.1.0/24"])
    })
    .map_err(|error| error.doing(one.routed_log()))?;
    // Its peers are not there yet.
    one.wait_log("route to 10.50.0.0/24 (stranger)")?;
    let mut all = [routes.as_slice(), &["10.50.0.0/24".to_owned()]].concat();
    all.sort_unstable();
    wait_peer_routes(one, &all.iter().map(String::as_str).collect::<Vec<_>>())
}

#[test]
fn node_without_pod_cidrs_withdraws_routes_of_nodes_that_left() -> Result {
    let cluster = Cluster::boot(2)?;
    cluster.register(1, &[])?;
    let one = cluster.node(1);
    one.spawn_routed(&[])?;
    let routes = cidrs(2);
    let routes: Vec<_> = routes.iter().map(String::as_str).collect();
    wait_peer_routes(one, &routes)?;
    cluster.api.delete("nodes", "", "n2");
    wait_peer_routes(one, &[])?;

    // A list without its own Node proves nothing.
    cluster.register(2, &cidrs(2))?;
    wait_peer_routes(one, &routes)?;
    for node in ["n1", "n2"] {
        cluster.api.delete("nodes", "", node);
    }
    one.wait_log("this node has no claim in the registry yet: keeping all routes")?;
    wait_peer_routes(one, &routes)
}
