//! What the plugin and `routed` do about `flatland-policy`: by its mark, its lock and its table, which
//! these tests make themselves.

use lab::{
    CommandOutput, DEADLINE, Families, Lab, Node, Process, Result, Runtime, Target, wait_until,
};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use wire::cni::CniVersion;
use wire::paths::{POLICY_LOCK, POLICY_READY};

const CONFLIST: &str = "/etc/flatland/10-flatland.conflist";
const AWAY: &str = "flatland-policy is not running: running pods keep their rules";

/// A single node whose conflist has a `policy` section.
fn lab() -> Result<Lab> {
    let mut lab = Lab::builder().etcd(0).families(Families::V4).start()?;
    let mut conflist = lab.conflist();
    conflist["plugins"][0]["policy"] = json!({ "failOpenAfter": "30s" });
    lab.node_mut(1).set_conflist(&conflist)?;
    lab.node(1)
        .run(&["sysctl", "-qw", "net.ipv4.ip_forward=1"])?;
    Ok(lab)
}

fn mark(node: &Node) -> Result {
    node.run(&["mkdir", "-p", "/run/flatland"])?;
    node.write(POLICY_READY, "")
}

/// Holds the lock as the program does while it runs.
fn hold_lock(node: &Node) -> Result<Process> {
    let hold = format!("umask 77; exec flock {POLICY_LOCK} sh -c 'echo locked; read forever'");
    let holder = node.spawn("policy", None, &["sh", "-c", &hold])?;
    wait_until("the lock", DEADLINE, || holder.log().contains("locked"))?;
    Ok(holder)
}

/// Makes or removes a table of that name.
fn table(node: &Node, verb: &str) -> Result {
    let command = ["nft", verb, "table", "inet", "flatland-policy"];
    node.run(&command).map(drop)
}

fn json_of(output: &CommandOutput) -> Value {
    serde_json::from_str(&output.stdout).expect("JSON")
}

#[test]
fn add_without_the_mark_is_code_11_and_changes_nothing() -> Result {
    let lab = lab()?;
    let node = lab.node(1);
    node.install_conflist()?;
    let runtime = || Ok::<_, lab::Error>(Runtime::of(node)?.with_version(CniVersion::V1_1_0));
    let before = node.attachment_state()?;
    let mut pod = node.sandbox("a")?.named("default", "web");
    for _ in 0..2 {
        let refused = pod.attach().expect_err("no mark").to_string();
        for part in ["\"code\":11", "flatland-policy has not put", POLICY_READY] {
            assert!(refused.contains(part), "{refused}");
        }
    }
    assert_eq!(node.attachment_state()?, before);
    assert!(!node.path("/run/flatland").exists(), "not even the ledger");
    let status = runtime()?.status().expect_err("no mark").to_string();
    for part in ["\"code\":50", "ADD would fail: flatland-policy has not"] {
        assert!(status.contains(part), "{status}");
    }

    mark(node)?;
    runtime()?.status()?;
    pod.attach()?;
    // What the pod has does not depend on it.
    node.run(&["rm", POLICY_READY])?;
    pod.check()?;
    runtime()?.gc(&[pod.target()])?;
    pod.check()?;
    pod.delete()
}

#[test]
fn add_without_a_policy_section_needs_no_mark() -> Result {
    let lab = Lab::builder().etcd(0).families(Families::V4).start()?;
    lab.node(1).install_conflist()?;
    lab.node(1).add_pod("a")?;
    Ok(())
}

/// The exit status of `routed status` and its text.
fn status(node: &Node) -> Result<(Option<i32>, String)> {
    let output = node.routed_command(&["status"])?;
    Ok((output.status.code(), output.stdout))
}

fn metric(node: &Node) -> Result<String> {
    let request = r"GET /metrics HTTP/1.1\r\nHost: n\r\nConnection: close\r\n\r\n";
    let script = r#"exec 3<>/dev/tcp/127.0.0.1/9470 && printf "$0" >&3 && cat <&3"#;
    let text = node.run(&["bash", "-c", script, request])?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("flatland_policy_running "));
    Ok(line.unwrap_or_default().to_owned())
}

#[test]
fn status_says_whether_the_program_runs_and_node_stays_ready() -> Result {
    let lab = lab()?;
    let node = lab.node(1);
    node.start_routed()?;
    let installed = node.read("/etc/cni/net.d/10-flatland.conflist")?;
    let installed: Value = serde_json::from_str(&installed).expect("JSON");
    let section = &installed["plugins"][0]["policy"];
    assert_eq!(section, &json!({ "failOpenAfter": "30s" }));

    let (code, text) = status(node)?;
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("no pod can be added before"), "{text}");
    mark(node)?;
    let holder = hold_lock(node)?;
    let (code, text) = status(node)?;
    assert_eq!(code, Some(0), "{text}");
    assert!(
        text.contains("  policy     flatland-policy is running\n"),
        "{text}"
    );
    assert_eq!(metric(node)?, "1.0");
    // Looking at the lock does not take it from the program, nor keeps it.
    holder.end(Signal::SIGKILL)?;
    let (code, text) = status(node)?;
    assert_eq!(code, Some(1), "{text}");
    assert!(
        text.contains("  policy     flatland-policy is not running\n"),
        "{text}"
    );
    assert!(text.contains(AWAY), "{text}");
    assert_eq!(metric(node)?, "0.0");
    let json = json_of(&node.routed_command(&["status", "-o", "json"])?);
    let expected = json!({ "running": false, "why": null, "ready": true });
    assert_eq!(json["policy"], expected);
    assert_eq!(
        (&json["ready"], &json["well"]),
        (&true.into(), &false.into())
    );
    node.routed_command(&["status", "--ready"])?.success()?;
    hold_lock(node)?.end(Signal::SIGKILL)?;

    node.end_routed(Signal::SIGTERM)?;
    let (code, text) = status(node)?;
    assert_eq!(code, Some(69), "{text}");
    assert!(text.contains(&format!("  policy     {AWAY}")), "{text}");
    Ok(())
}

/// The findings of the check `policy`: verdict and evidence.
fn findings(node: &Node, conflist: &str) -> Result<Vec<(String, String)>> {
    let output = node.routed_command(&["doctor", "-o", "json", "--conflist", conflist])?;
    let json = json_of(&output);
    let findings = json["findings"].as_array().into_iter().flatten();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let ours = findings.filter(|finding| finding["check"] == "policy");
    Ok(ours
        .map(|finding| (text(&finding["verdict"]), text(&finding["evidence"])))
        .collect())
}

#[test]
fn doctor_finds_what_is_missing_of_the_enforcement() -> Result {
    let lab = lab()?;
    let node = lab.node(1);
    let is_found = |expected: &[(&str, &str)]| -> Result {
        let found = findings(node, CONFLIST)?;
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for ((verdict, evidence), (is, part)) in found.iter().zip(expected) {
            assert!(verdict == is && evidence.contains(part), "{found:?}");
        }
        Ok(())
    };
    let never = (
        "broken",
        "flatland-policy is not running, and has not put its rules",
    );
    is_found(&[never])?;
    // It tried whether the kernel takes the rules, and nothing of that is left.
    let tables = node.run(&["nft", "list", "tables"])?;
    assert!(!tables.contains("flatland"), "{tables}");
    mark(node)?;
    let holder = hold_lock(node)?;
    let silent = (
        "broken",
        "does not answer: no program listens on /run/flatland/policy.sock",
    );
    let no_table = (
        "broken",
        "table inet flatland-policy is missing in the kernel",
    );
    is_found(&[silent, no_table])?;
    table(node, "add")?;
    is_found(&[silent])?;
    holder.end(Signal::SIGKILL)?;
    is_found(&[("broken", AWAY)])?;

    // A table that stayed when NetworkPolicies were switched off.
    let mut conflist = node.conflist();
    if let Some(section) = conflist["plugins"][0].as_object_mut() {
        section.remove("policy");
    }
    node.write("/tmp/10-off.conflist", conflist.to_string())?;
    let found = findings(node, "/tmp/10-off.conflist")?;
    assert!(found[0].1.contains("has no \"policy\""), "{found:?}");
    table(node, "delete")?;
    assert_eq!(findings(node, "/tmp/10-off.conflist")?, []);
    Ok(())
}

#[test]
fn status_names_a_table_that_stayed_when_policies_were_switched_off() -> Result {
    let lab = Lab::builder().etcd(0).families(Families::V4).start()?;
    let node = lab.node(1);
    node.start_routed()?;
    let leftover =
        "the conflist has no \"policy\", but table inet flatland-policy is in the kernel";
    table(node, "add")?;
    let (code, text) = status(node)?;
    assert!(code == Some(1) && text.contains(leftover), "{text}");
    let holder = hold_lock(node)?;
    assert_eq!(status(node)?.0, Some(0));
    holder.end(Signal::SIGKILL)?;
    table(node, "delete")?;
    assert_eq!(status(node)?.0, Some(0));
    Ok(())
}

#[test]
fn uninstall_waits_for_the_program_and_removes_its_files_and_table() -> Result {
    let lab = lab()?;
    let node = lab.node(1);
    mark(node)?;
    table(node, "add")?;
    let holder = hold_lock(node)?;
    for arguments in [&["uninstall"][..], &["uninstall", "--force"]] {
        let refused = node.routed_command(arguments)?;
        assert_eq!(refused.status.code(), Some(75), "{}", refused.stderr);
        let text = "flatland-policy runs on this node; stop it first";
        assert!(refused.stderr.contains(text), "{}", refused.stderr);
    }
    assert!(node.path(POLICY_READY).exists());
    holder.end(Signal::SIGKILL)?;
    let removed = node.routed_command(&["uninstall"])?.success()?;
    for part in ["table inet flatland-policy", "folder /run/flatland"] {
        assert!(removed.contains(&format!("removed {part}\n")), "{removed}");
    }
    assert!(!node.path("/run/flatland").exists());
    table(node, "list").expect_err("no table");
    Ok(())
}

#[test]
fn ledger_names_the_pod_of_an_address_with_its_uid() -> Result {
    let lab = lab()?;
    let node = lab.node(1);
    node.install_conflist()?;
    mark(node)?;
    let pod = node.sandbox("a")?;
    let args = "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=web-0;\
                K8S_POD_UID=c7f1ab8d-5a5c-4f5e-9f0e-0d5e1a2b3c4d";
    let target = Target {
        args,
        ..pod.target()
    };
    let attached = Runtime::of(node)?.add(target)?;
    let shown = json_of(&node.routed_command(&["addresses", "-o", "json"])?);
    let holder = &shown["addresses"][0];
    assert_eq!(
        holder["address"],
        attached.result.ips[0].address.ip().to_string()
    );
    assert_eq!(
        (&holder["podNamespace"], &holder["podName"]),
        (&"default".into(), &"web-0".into())
    );
    assert_eq!(holder["podUid"], "c7f1ab8d-5a5c-4f5e-9f0e-0d5e1a2b3c4d");
    Ok(())
}
