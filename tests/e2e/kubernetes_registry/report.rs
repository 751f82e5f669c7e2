//! What a node says on its Node object.

use std::time::Duration;

use lab::{DEADLINE, Result, wait_until};
use serde_json::Value;

use crate::cluster::Cluster;

#[test]
fn condition_says_that_the_node_is_ready_and_nothing_is_written_at_rest() -> Result {
    let cluster = Cluster::start(1)?;
    let node = cluster.node(1);
    let writes = |cluster: &Cluster| {
        let records = cluster.api.records();
        records.iter().filter(|it| it.is_write()).count()
    };
    // The server records a request after it is carried out.
    wait_until("the condition", DEADLINE, || {
        let condition = cluster.condition("n1");
        condition.is_some_and(|it| it.starts_with("True")) && writes(&cluster) > 0
    })
    .map_err(|error| error.doing(node.routed_log()))?;
    let before = writes(&cluster);
    // Three looks at what there is to say.
    let began = std::time::Instant::now();
    wait_until("three looks", DEADLINE, || {
        began.elapsed() > Duration::from_secs(15)
    })?;
    assert_eq!(writes(&cluster), before);

    // A Node that is made anew gets it again.
    let object = cluster.object(1, &crate::cluster::cidrs(1))?;
    cluster.api.delete("nodes", "", "n1");
    let began = std::time::Instant::now();
    wait_until("a look", DEADLINE, || {
        began.elapsed() > Duration::from_secs(6)
    })?;
    cluster.put(&object)?;
    wait_until("the condition again", DEADLINE, || {
        cluster
            .condition("n1")
            .is_some_and(|it| it.starts_with("True"))
    })
}

#[test]
fn trouble_of_the_node_is_one_event_on_its_object() -> Result {
    let cluster = Cluster::start(1)?;
    let node = cluster.node(1);
    node.run(&["ip", "address", "add", "10.244.1.200/28", "dev", "eth0"])?;
    let events = || cluster.api.list("events");
    wait_until("the event", 2 * DEADLINE, || !events().is_empty())
        .map_err(|error| error.doing(node.routed_log()))?;
    let all: Vec<Value> = events();
    assert_eq!(all.len(), 1, "{all:?}");
    let event = &all[0];
    assert_eq!(event["reason"], "FlatlandOverlap");
    assert_eq!(event["involvedObject"]["name"], "n1");
    assert!(
        event["message"]
            .as_str()
            .is_some_and(|it| it.contains("10.244.1.200")),
        "{event}"
    );
    Ok(())
}
