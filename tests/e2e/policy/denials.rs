//! Who dropped it: log, counters, `explain`; and connections that a new policy ends.

use lab::policy::{PodObject, PolicyCluster};
use lab::probe::{CUT, HOLDS, LISTENING, PORT};
use lab::{DEADLINE, Pod, Process, Result, wait_until};
use serde_json::json;

use crate::support::{LAB, answering, deny, pods, wait_reached};

#[test]
fn denied_packets_are_logged_counted_and_explained_with_names() -> Result {
    let cluster = PolicyCluster::start(2)?;
    let node = cluster.node(1);
    cluster.namespace("shop", &[])?;
    cluster.namespace("bank", &[])?;
    cluster.policy("bank", "default-deny", &deny(&["Ingress"]))?;
    let web = answering(&cluster, 2, &PodObject::new("shop", "web", &[]))?;
    let safe = answering(&cluster, 1, &PodObject::new("bank", "safe", &[]))?;
    wait_reached(&web.pod, &safe.pod, "")?;

    for protocol in ["tcp", "udp"] {
        let line = format!(
            "denied shop/web -> bank/safe:{PORT}/{protocol} by bank/default-deny (ingress)"
        );
        wait_until(&line, DEADLINE, || {
            // The log is rate-limited: send until it had room.
            drop(crate::support::reached(&web.pod, &safe.pod, PORT));
            node.policy_log().contains(&line)
        })
        .map_err(|error| error.doing(node.policy_log()))?;
    }

    let script = r"exec 3<>/dev/tcp/127.0.0.1/9472 && printf 'GET /metrics HTTP/1.1\r\nHost: n\r\nConnection: close\r\n\r\n' >&3 && cat <&3";
    let metrics = node.run(&["bash", "-c", script])?;
    let sample = metrics.lines().find(|line| {
        line.starts_with("flatland_policy_packets_total{")
            && line.contains(r#"policy="bank/default-deny""#)
            && line.contains(r#"action="deny""#)
    });
    let value = sample.and_then(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
    assert!(value.is_some_and(|value| value >= 2.0), "{metrics}");

    let port = format!("{PORT}/tcp");
    let explain = ["explain", "shop/web", "bank/safe", "--port", &port];
    for said in [
        node.policy_command(&explain)?,
        node.routed_command(&explain)?,
    ] {
        for text in ["isolated by bank/default-deny", "denied"] {
            assert!(said.stdout.contains(text), "{said:?}");
        }
        assert_eq!(said.status.code(), Some(1), "{said:?}");
    }
    let back = ["explain", "bank/safe", "shop/web", "--port", &port];
    let back = node.routed_command(&back)?;
    assert!(back.stdout.contains("nothing is broken"), "{back:?}");
    assert!(
        back.stdout.contains("allowed by the network policies"),
        "{back:?}"
    );
    Ok(())
}

#[test]
fn explain_with_a_port_takes_what_it_takes_without_one() -> Result {
    let cluster = PolicyCluster::start(2)?;
    let node = cluster.node(1);
    cluster.namespace("shop", &[])?;
    cluster.policy("shop", "default-deny", &deny(&["Ingress"]))?;
    let web = answering(&cluster, 1, &PodObject::new("shop", "web", &[]))?;
    let near = answering(&cluster, 1, &PodObject::new("shop", "near", &[]))?;
    let far = answering(&cluster, 2, &PodObject::new("shop", "far", &[]))?;
    wait_reached(&web.pod, &near.pod, "")?;
    wait_reached(&web.pod, &far.pod, "")?;

    let address = |pod: &Pod<'_>, index: usize| pod.addresses()[index].to_string();
    let id = |pod: &Pod<'_>| pod.name().to_owned();
    for (from, to) in [
        ("shop/web".to_owned(), "shop/near".to_owned()),
        (id(&web.pod), id(&near.pod)),
        (id(&web.pod), "shop/far".to_owned()),
        (address(&web.pod, 1), address(&far.pod, 1)),
        ("shop/web".to_owned(), address(&far.pod, 0)),
    ] {
        let said = node.routed_command(&["explain", &from, &to, "--port", "80/TCP"])?;
        // The path is that of the pods as they were given, where this node knows them.
        let is_headed = said.stdout.starts_with(&format!("{from}\n"));
        let text = "isolated by shop/default-deny";
        assert!(is_headed && said.stdout.contains(text), "{said:?}");
        assert_eq!(said.status.code(), Some(1), "{said:?}");
    }

    let [from, to] = [id(&web.pod), id(&near.pod)];
    for (to, port, expected) in [
        (&*to, "80", "\"80\" has no protocol: write PORT/PROTOCOL"),
        (&*to, "70000/tcp", "\"70000\" is no port from 1 to 65535"),
        (&*to, "80/icmp", "\"icmp\" is none of tcp, udp and sctp"),
        ("no-such-container", "80/tcp", "no pod or container no-such"),
        ("shop/near pod", "80/tcp", "is no pod: write NAMESPACE/NAME"),
    ] {
        let said = node.routed_command(&["explain", &from, to, "--port", port])?;
        assert!(said.stderr.contains(expected), "{said:?}");
        assert_eq!(said.status.code(), Some(64), "{said:?}");
    }
    Ok(())
}

/// A TCP connection in use, from one pod to another that runs `lab echo`.
fn hold(from: &Pod<'_>, to: &Pod<'_>) -> Result<Process> {
    let process = from.spawn("hold", &[LAB, "hold", &to.addresses()[0].to_string()])?;
    wait_until("answers", DEADLINE, || process.log().contains(HOLDS))?;
    Ok(process)
}

#[test]
fn new_deny_ends_the_connections_that_it_denies_and_no_others() -> Result {
    let cluster = PolicyCluster::start(2)?;
    cluster.namespace("shop", &[])?;
    let db = cluster.pod(1, &PodObject::new("shop", "db", &[("app", "db")]))?;
    let echo = db.spawn("echo", &[LAB, "echo"])?;
    wait_until("echo", DEADLINE, || echo.log().contains(LISTENING))?;
    let web = cluster.pod(2, &PodObject::new("shop", "web", &[("app", "web")]))?;
    let other = cluster.pod(2, &PodObject::new("shop", "other", &[("app", "x")]))?;
    let (kept, denied) = (hold(&web, &db)?, hold(&other, &db)?);

    let allow = json!({
        "podSelector": { "matchLabels": { "app": "db" } },
        "ingress": [{ "from": [pods("app", "web")] }],
    });
    cluster.policy("shop", "allow-web", &allow)?;
    wait_until("the end of the denied connection", DEADLINE, || {
        denied.log().contains(CUT)
    })?;
    assert!(kept.running() && !kept.log().contains(CUT));
    Ok(())
}
