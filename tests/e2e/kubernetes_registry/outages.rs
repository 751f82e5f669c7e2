//! The API server is away, slow, full or upgraded.

use lab::apiserver::{Answer, ApiServer, Faults};
use lab::{DEADLINE, Result, wait_until};
use nix::sys::signal::Signal;

use crate::cluster::{Cluster, give_account, peer_routes, user, wait_peer_routes};

/// Waits until a Node that is created now has its route on n1.
fn wait_for_news(cluster: &Cluster) -> Result {
    let mut object = cluster.object(1, &["10.244.3.0/24".to_owned()])?;
    object["metadata"]["name"] = "news".into();
    object["status"]["nodeInfo"]["machineID"] = "5".into();
    object["status"]["addresses"] =
        serde_json::json!([{ "type": "InternalIP", "address": "192.168.1.55" }]);
    cluster.put(&object)?;
    wait_peer_routes(
        cluster.node(1),
        &["10.244.2.0/24", "10.244.3.0/24", "fd00:10:244:0:2::/80"],
    )
}

#[test]
fn api_server_that_is_away_changes_nothing_for_pods() -> Result {
    let cluster = Cluster::start(2)?;
    let (one, two) = (cluster.node(1), cluster.node(2));
    let (a, b) = (one.add_pod("a")?, two.add_pod("b")?);
    let routes = peer_routes(one);
    cluster.api.stop();
    one.wait_log("the registry is out of reach")?;
    // A restart meanwhile keeps all, and pods come and go.
    one.end_routed(Signal::SIGTERM)?;
    one.spawn_routed(&[])?;
    wait_until("routed", DEADLINE, || {
        one.count_logged("the registry is out of reach") > 1
    })?;
    let c = one.add_pod("c")?;
    assert_eq!(peer_routes(one), routes);
    for (from, to) in [(&a, &b), (&c, &b), (&b, &c)] {
        from.run(&["ping", "-c1", "-W2", &to.addresses()[0].to_string()])?;
    }
    c.delete()?;
    cluster.api.listen()?;
    wait_for_news(&cluster)
}

#[test]
fn server_that_closes_each_connection_is_read_and_written() -> Result {
    let cluster = Cluster::boot(2)?;
    cluster.api.set_faults(Faults {
        close: true,
        ..Faults::default()
    });
    cluster.lab.start_routed()?;
    cluster.lab.wait_routes()?;
    wait_until("the condition", DEADLINE, || {
        let condition = cluster.condition("n1");
        condition.is_some_and(|it| it.starts_with("True"))
    })
    .map_err(|error| error.doing(cluster.node(1).routed_log()))?;
    wait_for_news(&cluster)
}

#[test]
fn watch_goes_on_after_whatever_ends_it() -> Result {
    type Blow = (&'static str, fn(&ApiServer));
    let blows: [Blow; 6] = [
        ("ends", |api| api.drop_watches()),
        ("410 in the stream", ApiServer::expire_watches),
        ("410 for the version", |api| {
            api.compact();
            api.drop_watches();
        }),
        ("garbage", |api| {
            api.set_faults(Faults {
                garbage_events: 1,
                ..Faults::default()
            });
        }),
        ("429, 500 and a broken page", |api| {
            let failure = |code| Answer::Failure {
                code,
                retry_after: Some(1),
            };
            api.set_faults(Faults {
                next: [
                    failure(429),
                    failure(500),
                    Answer::BrokenList,
                    Answer::TruncatedList,
                ]
                .into(),
                ..Faults::default()
            });
            api.compact();
            api.drop_watches();
        }),
        ("connection lost", |api| {
            api.stop();
            api.listen().unwrap();
        }),
    ];
    let cluster = Cluster::start(2)?;
    for (name, blow) in blows {
        blow(&cluster.api);
        wait_for_news(&cluster).map_err(|error| error.doing(name))?;
        cluster.api.delete("nodes", "", "news");
        wait_peer_routes(cluster.node(1), &["10.244.2.0/24", "fd00:10:244:0:2::/80"])
            .map_err(|error| error.doing(name))?;
    }
    Ok(())
}

#[test]
fn token_and_authority_that_are_replaced_are_read_anew() -> Result {
    let cluster = Cluster::start(2)?;
    let one = cluster.node(1);
    cluster.api.stop();
    let ca = cluster.api.rotate_ca()?;
    cluster.api.revoke_token("token-1");
    cluster.api.add_token("token-2", user());
    cluster.api.listen()?;
    one.wait_log("certificate")?;
    for node in cluster.lab.nodes() {
        give_account(node, "token-2", &ca)?;
    }
    wait_for_news(&cluster)
}

#[test]
fn refusal_by_the_api_server_is_named_with_the_cure() -> Result {
    let cluster = Cluster::boot(1)?;
    let node = cluster.node(1);
    cluster.api.revoke_grants(user());
    node.spawn_routed(&[])?;
    node.wait_log("403")?;
    node.wait_log("ClusterRole")?;
    cluster.api.revoke_token("token-1");
    node.end_routed(Signal::SIGTERM)?;
    node.spawn_routed(&[])?;
    node.wait_log("401")?;
    node.wait_log("its token is not accepted")?;
    Ok(())
}
