use std::net::IpAddr;

use super::*;

fn parties(nodes: u8, pods: u8) -> Vec<Party> {
    let party = |node: u8, pod: Option<u8>| Party {
        name: pod.map_or(format!("n{node}"), |pod| format!("n{node}/p{pod}")),
        node: format!("n{node}"),
        is_pod: pod.is_some(),
        addresses: vec![IpAddr::from([10, 244, node, pod.unwrap_or_default()])],
    };
    (1..=nodes)
        .flat_map(|node| {
            let pods = (1..=pods).map(move |pod| party(node, Some(pod)));
            [party(node, None)].into_iter().chain(pods)
        })
        .collect()
}

#[test]
fn queries_explain_the_way_to_another_node_where_there_is_one() {
    for (nodes, pods, expected) in [
        (3, 2, Some("routed explain n1/p1 10.244.2.1")),
        (1, 2, Some("routed explain n1/p1 10.244.1.2")),
        (1, 1, None),
        (2, 0, None),
    ] {
        let queries = queries(&parties(nodes, pods));
        assert_eq!(queries[0].text(), "routed status");
        assert!(queries.iter().all(|query| query.node == "n1"));
        let explain = queries.get(1).map(ShownCommand::text);
        assert_eq!(explain.as_deref(), expected, "{nodes} nodes, {pods} pods");
    }
}

#[test]
fn hints_name_what_to_type_while_up_and_afterwards() {
    let commands = |hints: Hints| -> Vec<String> {
        hints.rows.into_iter().map(|(_, command)| command).collect()
    };
    let kept = commands(hints(Some("target/lab"), &parties(2, 1)));
    for command in [
        "target/lab enter n1",
        "routed status",
        "routed explain n1/p1 10.244.2.1",
        "target/lab enter n1/p1",
        "ping 10.244.2.1",
        "make demo-down",
    ] {
        assert!(kept.contains(&command.to_owned()), "{command} in {kept:?}");
    }
    let podless = commands(hints(Some("lab"), &parties(1, 0)));
    assert!(podless.iter().all(|command| !command.contains("explain")));
    let gone = commands(hints(None, &parties(2, 1)));
    assert_eq!(gone[0], "make demo KEEP=1");
}
