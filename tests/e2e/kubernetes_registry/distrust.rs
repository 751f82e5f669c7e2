//! A registry that is not believed: routes stay although their Nodes are missing.

use lab::Result;
use lab::apiserver::{Answer, Faults};

use crate::cluster::{Cluster, peer_routes};

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
    wait_distrust(&cluster, "lacks this node's own claims", &routes)
}

#[test]
fn another_cluster_withdraws_nothing() -> Result {
    let cluster = Cluster::start(2)?;
    let routes = peer_routes(cluster.node(1));
    cluster.api.stop();
    cluster.api.replace_cluster(5_000_000);
    cluster.register(1, &crate::cluster::cidrs(1))?;
    cluster.api.listen()?;
    wait_distrust(&cluster, "is another cluster", &routes)
}

#[test]
fn older_cluster_withdraws_nothing() -> Result {
    let cluster = Cluster::boot(2)?;
    cluster.api.delete("nodes", "", "n2");
    let saved = cluster.api.save();
    cluster.register(2, &crate::cluster::cidrs(2))?;
    cluster.lab.start_routed()?;
    cluster.lab.wait_routes()?;
    let routes = peer_routes(cluster.node(1));
    cluster.api.stop();
    cluster.api.restore(&saved);
    cluster.api.listen()?;
    wait_distrust(&cluster, "older than revision", &routes)
}
