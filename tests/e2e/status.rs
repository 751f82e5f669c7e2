//! `routed status`, `routed nodes` and `routed routes`.

use std::time::Duration;

use lab::{CommandOutput, DEADLINE, Families, Lab, Node, Result, wait_for, wait_until};
use nix::sys::signal::Signal;
use serde_json::Value;

fn raise(nodes: u8) -> Result<Lab> {
    let lab = Lab::builder().nodes(nodes).families(Families::V4).start()?;
    lab.start_routed()?;
    lab.wait_routes()?;
    Ok(lab)
}

fn json(node: &Node, command: &str) -> Result<Value> {
    let output = node.routed_command(&[command, "-o", "json"])?;
    Ok(serde_json::from_str(&output.stdout).expect("JSON"))
}

/// Waits until `command` ends with `status` and prints all of `texts`.
fn wait_printed(node: &Node, command: &str, status: i32, texts: &[&str]) -> Result<CommandOutput> {
    let mut last = None;
    let output = wait_for(format!("{texts:?} of routed {command}"), DEADLINE, || {
        let output = node.routed_command(&[command]).ok()?;
        let is_said = texts.iter().all(|text| output.stdout.contains(text));
        if output.status.code() == Some(status) && is_said {
            return Some(output);
        }
        last = Some(output);
        None
    });
    output.map_err(|error| error.doing(format!("{last:?}")))
}

fn put(lab: &Lab, key: &str, value: &str) -> Result {
    let key = format!("/flatland/flatland/{key}");
    lab.etcd()[0].ctl(&["put", &key, value]).map(drop)
}

/// The second node's subnet, as the first node shows it.
fn peer_subnet(node: &Node, peer: &Node) -> Result<String> {
    let routes = json(node, "routes")?;
    let mut all = routes["routes"].as_array().into_iter().flatten();
    let of_peer = all.find(|route| route["node"] == peer.name());
    let subnet = of_peer.and_then(|route| route["subnet"].as_str());
    Ok(subnet.unwrap_or_default().to_owned())
}

#[test]
fn status_of_a_healthy_node_fits_one_screen() -> Result {
    let lab = raise(2)?;
    let one = lab.node(1);
    let ready = "ready      yes, /etc/cni/net.d/10-flatland.conflist";
    let output = wait_printed(one, "status", 0, &["network flatland: well", ready])?;
    let text = output.stdout;
    assert!(
        text.contains("\n  nodes      2 present, 0 absent\n"),
        "{text}"
    );
    assert!(
        text.contains("\n  routes     3 desired, 3 in the kernel, 0 missing;"),
        "{text}"
    );
    assert!(
        text.contains("\n  pods       IPv4 0 used, 0 cooling, 253 free\n"),
        "{text}"
    );
    assert!(
        text.lines().count() <= 24 && !text.contains('\u{1b}'),
        "{text}"
    );
    let status = json(one, "status")?;
    assert_eq!(
        (&status["running"], &status["well"]),
        (&true.into(), &true.into())
    );
    assert_eq!(status["http"]["address"], "127.0.0.1:9470");

    let nodes = one.routed_command(&["nodes"])?.success()?;
    let is_there = |node: &Node, verdict: &str| {
        let mut lines = nodes.lines();
        lines.any(|line| {
            let words = [
                node.name(),
                &node.addresses()[0].to_string(),
                "yes",
                verdict,
            ];
            words.iter().all(|word| line.contains(word))
        })
    };
    assert!(
        is_there(one, "this node") && is_there(lab.node(2), "ok"),
        "{nodes}"
    );
    let routes = one.routed_command(&["routes"])?.success()?;
    assert!(
        routes.contains("via 192.168.1.12 dev eth0  same    ok"),
        "{routes}"
    );
    for text in [nodes, routes] {
        assert!(text.lines().all(|line| line.len() <= 80), "{text}");
    }
    Ok(())
}

#[test]
fn status_of_a_node_without_etcd_is_well() -> Result {
    let lab = Lab::builder()
        .nodes(1)
        .etcd(0)
        .families(Families::V4)
        .start()?;
    let node = lab.node(1);
    node.start_routed()?;
    let registry =
        "registry   a file of this node: there is neither an etcd nor a kubernetes section";
    wait_printed(node, "status", 0, &["network flatland: well\n", registry])?;
    wait_printed(node, "nodes", 0, &["n1 ", "this node"])?;
    wait_printed(node, "routes", 0, &["unreachable", "same"]).map(drop)
}

#[test]
fn output_has_colours_and_cut_lines_on_a_terminal_only() -> Result {
    let lab = raise(2)?;
    let one = lab.node(1);
    let on_terminal = |columns: u16, variables: &str| -> Result<String> {
        let command =
            format!("stty rows 24 cols {columns}; {variables} /opt/flatland/routed routes");
        let text = one.run(&["script", "-qec", &command, "/dev/null"])?;
        Ok(text.replace('\r', ""))
    };
    let wide = on_terminal(200, "")?;
    assert!(wide.contains("\u{1b}[32mok\u{1b}[0m"), "{wide:?}");
    let plain = on_terminal(200, "NO_COLOR=1")?;
    assert!(
        !plain.contains('\u{1b}') && plain.contains("  ok"),
        "{plain:?}"
    );
    let narrow = on_terminal(50, "NO_COLOR=1")?;
    assert!(
        narrow.lines().all(|line| line.chars().count() <= 50),
        "{narrow}"
    );
    assert!(narrow.contains("..."), "{narrow}");
    let piped = one.routed_command(&["routes"])?.success()?;
    assert_eq!(piped.trim_end(), plain.trim_end());
    Ok(())
}

#[test]
fn status_with_foreign_route_or_outage_is_not_well() -> Result {
    let lab = raise(2)?;
    let [one, two] = [lab.node(1), lab.node(2)];
    let subnet = peer_subnet(one, two)?;
    // A route of another program, faster than our repair: both changes are in one batch.
    let batch = format!("route del {subnet}\nroute add {subnet} via 192.168.1.1 proto static\n");
    wait_until("conflict", DEADLINE, || {
        let made = one.run_with(&["ip", "-batch", "-"], batch.as_bytes());
        made.is_ok()
            && wait_for("state", Duration::from_secs(1), || {
                let routes = json(one, "routes").ok()?;
                let mut all = routes["routes"].as_array().into_iter().flatten();
                all.any(|route| route["state"] == "conflict").then_some(())
            })
            .is_ok()
    })?;
    let output = wait_printed(one, "routes", 1, &["conflict", "proto static"])?;
    assert!(
        output.stdout.contains("remove it to let this one in"),
        "{}",
        output.stdout
    );
    wait_printed(
        one,
        "status",
        1,
        &["not well", "conflict with a route of another program"],
    )?;
    one.run(&["ip", "route", "del", &subnet])?;
    wait_printed(one, "status", 0, &["well"])?;

    lab.etcd()[0].stop()?;
    wait_printed(
        one,
        "status",
        1,
        &["not well", "the registry has been out of reach for"],
    )?;
    assert_eq!(json(one, "status")?["ready"], true);
    Ok(())
}

#[test]
fn absent_node_is_shown_and_logged_once_and_routes_stay() -> Result {
    let lab = Lab::builder().nodes(2).families(Families::V4).start()?;
    let [one, two] = [lab.node(1), lab.node(2)];
    one.start_routed()?;
    two.spawn_routed(&["--presence-ttl", "2"])?;
    two.wait_ready()?;
    lab.wait_routes()?;
    wait_printed(one, "status", 0, &["2 present, 0 absent"])?;
    let routes = one.routes()?;

    two.end_routed(Signal::SIGKILL)?;
    let remark = "node n2 has been absent since";
    wait_printed(
        one,
        "status",
        0,
        &["well, see the remarks", remark, "1 present, 1 absent"],
    )?;
    wait_printed(one, "nodes", 0, &["no, "])?;
    let count_logged = |text: &str| one.routed_log().matches(text).count();
    let timeout = DEADLINE * 2;
    wait_until("log line", timeout, || {
        count_logged("node n2 is absent: ") == 1
    })?;
    assert_eq!(one.routes()?, routes, "nothing is withdrawn");

    two.spawn_routed(&[])?;
    wait_until("its return in the log", timeout, || {
        count_logged("node n2 is present again, after ") == 1
    })?;
    wait_printed(one, "status", 0, &["2 present, 0 absent"])?;
    assert_eq!(count_logged("node n2 is absent: "), 1);
    assert_eq!(one.routes()?, routes);
    Ok(())
}

#[test]
fn status_names_unreachable_peer_and_bad_record() -> Result {
    let lab = raise(1)?;
    let node = lab.node(1);
    put(
        &lab,
        "nodes/n9",
        r#"{"addresses":["172.31.0.9"],"machineId":"9"}"#,
    )?;
    put(&lab, "subnets/10.244.99.0-24", r#"{"node":"n9"}"#)?;
    put(&lab, "nodes/n8", "what is this")?;

    let verdict = "unreachable peer: n9 gives 172.31.0.9 (on no connected link) for \
                   10.244.99.0/24, and n1 is connected to 192.168.1.0/24 (eth0)";
    let ignored = "ignored nodes/n8 in the registry: the value cannot be read";
    wait_printed(node, "status", 1, &["not well", verdict, ignored])?;
    let status = json(node, "status")?;
    assert_eq!(status["claimsWithoutRoute"]["unreachable"], 1);
    assert_eq!(status["registry"]["ignored"], 1);
    wait_printed(node, "nodes", 0, &["none, see below", verdict])?;
    let routes = wait_printed(node, "routes", 1, &["10.244.99.0/24", verdict])?.stdout;
    let row = routes
        .lines()
        .find(|line| line.starts_with("10.244.99.0/24"));
    assert!(row.is_some_and(|row| row.ends_with("none")), "{routes}");
    let log = node.routed_log();
    assert_eq!(log.matches(verdict).count(), 1, "{log}");
    assert_eq!(log.matches(ignored).count(), 1, "{log}");

    lab.etcd()[0].ctl(&["del", "--prefix", "/flatland/flatland/nodes/n8"])?;
    put(
        &lab,
        "nodes/n9",
        r#"{"addresses":["192.168.1.99"],"machineId":"9"}"#,
    )?;
    wait_printed(
        node,
        "status",
        0,
        &["well, see the remarks", "node n9 has been absent"],
    )?;
    wait_printed(node, "routes", 0, &["via 192.168.1.99 dev eth0"]).map(drop)
}

#[test]
fn commands_without_the_daemon_show_what_they_can() -> Result {
    let lab = raise(2)?;
    let one = lab.node(1);
    one.end_routed(Signal::SIGKILL)?;
    let not_running = "routed does not run on this node";
    let still_adds = "10-flatland.conflist: the runtime still adds pods";
    let output = wait_printed(
        one,
        "status",
        69,
        &[not_running, still_adds, "3 in the kernel"],
    )?;
    assert!(
        output.stdout.contains(&one.owned_subnets()?[0]),
        "{}",
        output.stdout
    );
    let status = json(one, "status")?;
    assert_eq!(
        (&status["running"], &status["routes"]),
        (&false.into(), &3.into())
    );

    let routes = wait_printed(one, "routes", 69, &["via 192.168.1.12 dev eth0"])?;
    assert!(routes.stderr.contains(not_running), "{}", routes.stderr);
    let nodes = wait_printed(one, "nodes", 0, &["n1 ", "n2 "])?;
    assert!(
        nodes.stderr.contains("as the registry has it"),
        "{}",
        nodes.stderr
    );
    Ok(())
}
