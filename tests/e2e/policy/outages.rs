//! What goes on while the program, its table or the API server is away.

use lab::policy::{PodObject, PolicyCluster};
use lab::{DEADLINE, Node, Result, wait_until};
use nix::sys::signal::Signal;

use crate::support::{ALL, answering, deny, wait_reached};

#[test]
fn running_pods_keep_their_rules_while_the_program_is_away_and_new_ones_are_closed() -> Result {
    let cluster = PolicyCluster::start(1)?;
    let node = cluster.node(1);
    cluster.namespace("shop", &[])?;
    cluster.namespace("bank", &[])?;
    cluster.policy("bank", "deny", &deny(&["Ingress"]))?;
    let web = answering(&cluster, 1, &PodObject::new("shop", "web", &[]))?;
    let near = answering(&cluster, 1, &PodObject::new("shop", "near", &[]))?;
    let bank = answering(&cluster, 1, &PodObject::new("bank", "safe", &[]))?;
    wait_reached(&web.pod, &near.pod, ALL)?;
    wait_reached(&web.pod, &bank.pod, "")?;

    node.end_policy(Signal::SIGKILL)?;
    wait_reached(&web.pod, &near.pod, ALL)?;
    wait_reached(&web.pod, &bank.pod, "")?;
    let new = answering(&cluster, 1, &PodObject::new("shop", "new", &[]))?;
    wait_reached(&new.pod, &near.pod, "")?;
    wait_reached(&near.pod, &new.pod, "")?;
    wait_until("status that says so", DEADLINE, || {
        let status = node.routed_command(&["status"]);
        status.is_ok_and(|it| it.stdout.contains("flatland-policy is not running"))
    })?;
    assert!(doctor(node)?.contains("broken   policy: flatland-policy is not running"));

    // The packet's path is explained all the same.
    let addresses = [web.pod.addresses()[0], bank.pod.addresses()[0]].map(|it| it.to_string());
    let explain = ["explain", &addresses[0], &addresses[1], "--port", "80/tcp"];
    let said = node.routed_command(&explain)?.stdout;
    assert!(said.contains("nothing is broken"), "{said}");
    assert!(
        said.contains("say is not known: flatland-policy does not run"),
        "{said}"
    );

    // What changed meanwhile holds after the start.
    assert!(
        cluster
            .cluster
            .api
            .delete("networkpolicies", "bank", "deny")
    );
    node.start_policy()?;
    wait_reached(&new.pod, &near.pod, ALL)?;
    wait_reached(&web.pod, &bank.pod, ALL)
}

#[test]
fn rules_stay_while_the_api_server_is_away_and_follow_once_it_is_back() -> Result {
    let cluster = PolicyCluster::start(1)?;
    let node = cluster.node(1);
    cluster.namespace("shop", &[])?;
    let web = answering(&cluster, 1, &PodObject::new("shop", "web", &[]))?;
    let near = answering(&cluster, 1, &PodObject::new("shop", "near", &[]))?;
    cluster.policy("shop", "deny", &deny(&["Ingress"]))?;
    wait_reached(&web.pod, &near.pod, "")?;

    cluster.cluster.api.stop();
    node.end_policy(Signal::SIGTERM)?;
    node.spawn_policy()?;
    wait_until("the outage in the log", DEADLINE, || {
        node.policy_log().contains("out of reach")
    })
    .map_err(|error| error.doing(node.policy_log()))?;
    wait_reached(&web.pod, &near.pod, "")?;
    assert!(
        cluster
            .cluster
            .api
            .delete("networkpolicies", "shop", "deny")
    );
    cluster.cluster.api.listen()?;
    wait_reached(&web.pod, &near.pod, ALL)
}

/// What `routed doctor` says.
fn doctor(node: &Node) -> Result<String> {
    Ok(node.routed_command(&["doctor"])?.stdout)
}

#[test]
fn doctor_says_whether_the_program_answers_and_has_its_rules() -> Result {
    let cluster = PolicyCluster::without_policy_program(1)?;
    let node = cluster.node(1);
    cluster.cluster.api.stop();
    node.spawn_policy()?;
    wait_until("an answer", DEADLINE, || node.policy_answers())?;
    let says = |expected: &str| {
        let mut said = String::new();
        wait_until(expected, DEADLINE, || {
            said = doctor(node).unwrap_or_default();
            said.contains(expected)
        })
        .map_err(|error| error.doing(said.clone()))
    };
    says("broken   policy: the rules are not those of the network policies: ")?;
    cluster.cluster.api.listen()?;
    says("ok       policy: flatland-policy runs, and table inet flatland-policy is in the kernel")?;
    let status = node.policy_command(&["status"])?.success()?;
    assert!(
        status.contains("\n  networkpolicies         up to resourceVersion "),
        "{status}"
    );
    node.signal_policy(Signal::SIGSTOP)?;
    says("broken   policy: flatland-policy runs, but does not answer: ")?;
    node.signal_policy(Signal::SIGCONT)?;
    says("ok       policy: flatland-policy runs")
}

#[test]
fn policies_need_no_etcd_where_it_is_the_registry() -> Result {
    let cluster = PolicyCluster::with_etcd(1)?;
    cluster.namespace("shop", &[])?;
    let web = answering(&cluster, 1, &PodObject::new("shop", "web", &[]))?;
    let near = answering(&cluster, 1, &PodObject::new("shop", "near", &[]))?;
    wait_reached(&web.pod, &near.pod, ALL)?;
    cluster.cluster.lab.etcd()[0].stop()?;
    cluster.policy("shop", "deny", &deny(&["Ingress"]))?;
    wait_reached(&web.pod, &near.pod, "")?;
    let new = answering(&cluster, 1, &PodObject::new("shop", "new", &[]))?;
    wait_reached(&web.pod, &new.pod, "")?;
    assert!(
        cluster
            .cluster
            .api
            .delete("networkpolicies", "shop", "deny")
    );
    wait_reached(&web.pod, &new.pod, ALL)
}

#[test]
fn table_that_somebody_deletes_or_changes_is_put_back() -> Result {
    let cluster = PolicyCluster::start(1)?;
    let node = cluster.node(1);
    cluster.namespace("shop", &[])?;
    let web = answering(&cluster, 1, &PodObject::new("shop", "web", &[]))?;
    let near = answering(&cluster, 1, &PodObject::new("shop", "near", &[]))?;
    cluster.policy("shop", "deny", &deny(&["Ingress"]))?;
    wait_reached(&web.pod, &near.pod, "")?;
    for vandalism in [
        &["nft", "delete", "table", "inet", "flatland-policy"][..],
        &["nft", "flush", "ruleset"],
        &["nft", "flush", "table", "inet", "flatland-policy"],
    ] {
        node.run(vandalism)?;
        wait_reached(&web.pod, &near.pod, "")?;
        wait_until("the table", DEADLINE, || {
            let table = node.run(&["nft", "list", "table", "inet", "flatland-policy"]);
            table.is_ok_and(|table| table.contains("jump"))
        })
        .map_err(|error| error.doing(node.policy_log()))?;
        wait_reached(&web.pod, &near.pod, "")?;
    }
    Ok(())
}

#[test]
fn second_program_on_a_node_is_refused() -> Result {
    let cluster = PolicyCluster::start(1)?;
    let conflist = "/etc/flatland/10-flatland.conflist";
    let second = cluster
        .node(1)
        .policy_command(&["run", "--conflist", conflist])?;
    let error = second
        .clone()
        .success()
        .expect_err("one runs already")
        .to_string();
    assert!(error.contains("already"), "{error}");
    assert!(cluster.node(1).policy_runs());
    Ok(())
}

#[test]
fn table_that_is_flushed_before_the_api_was_read_is_replaced_by_one_that_closes_all_pods() -> Result
{
    let cluster = PolicyCluster::start(1)?;
    let node = cluster.node(1);
    cluster.namespace("shop", &[])?;
    let web = answering(&cluster, 1, &PodObject::new("shop", "web", &[]))?;
    let near = answering(&cluster, 1, &PodObject::new("shop", "near", &[]))?;
    cluster.policy("shop", "deny", &deny(&["Ingress"]))?;
    wait_reached(&web.pod, &near.pod, "")?;
    cluster.cluster.api.stop();
    node.end_policy(Signal::SIGTERM)?;
    node.spawn_policy()?;
    wait_until("an answer", DEADLINE, || node.policy_answers())?;
    node.run(&["nft", "flush", "ruleset"])?;
    wait_reached(&web.pod, &near.pod, "")?;
    // A pod that Kubernetes does not know is open all the same.
    let stranger = node.add_pod("stranger")?;
    let other = node.add_pod("other")?;
    let other = crate::support::Answering::on(other, &[lab::probe::PORT])?;
    wait_reached(&stranger, &other.pod, ALL)?;
    cluster.cluster.api.listen()?;
    cluster
        .cluster
        .api
        .delete("networkpolicies", "shop", "deny");
    wait_reached(&web.pod, &near.pod, ALL)
}

#[test]
fn pod_is_opened_after_the_configured_time_also_without_the_api_server_since_the_start() -> Result {
    let cluster = PolicyCluster::configured(1, &serde_json::json!({ "failOpenAfter": "1s" }))?;
    let node = cluster.node(1);
    cluster.cluster.api.stop();
    node.spawn_policy()?;
    wait_until("an answer", DEADLINE, || node.policy_answers())?;
    let web = cluster.attach(1, &PodObject::new("shop", "web", &[]))?;
    let near = cluster.attach(1, &PodObject::new("shop", "near", &[]))?;
    let near = crate::support::Answering::on(near, &[lab::probe::PORT])?;
    wait_reached(&web, &near.pod, ALL)
}

#[test]
fn new_pods_are_opened_in_the_table_of_an_earlier_run_whose_pods_keep_their_rules() -> Result {
    let cluster = PolicyCluster::configured(1, &serde_json::json!({ "failOpenAfter": "1s" }))?;
    let node = cluster.node(1);
    node.start_policy()?;
    cluster.namespace("shop", &[])?;
    cluster.policy("shop", "deny", &deny(&["Ingress"]))?;
    let safe = answering(&cluster, 1, &PodObject::new("shop", "safe", &[]))?;
    let web = cluster.pod(1, &PodObject::new("shop", "web", &[]))?;
    wait_reached(&web, &safe.pod, "")?;
    cluster.cluster.api.stop();
    node.end_policy(Signal::SIGKILL)?;
    node.spawn_policy()?;
    wait_until("an answer", DEADLINE, || node.policy_answers())?;

    let new = cluster.attach(1, &PodObject::new("shop", "new", &[]))?;
    let new = crate::support::Answering::on(new, &[lab::probe::PORT])?;
    let stranger = node.add_pod("stranger")?;
    wait_reached(&web, &new.pod, ALL)?;
    wait_reached(&stranger, &new.pod, ALL)?;
    wait_reached(&new.pod, &safe.pod, "")?;
    wait_reached(&web, &safe.pod, "")
}
