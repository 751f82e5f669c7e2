//! Plugins that would run themselves without end.

use lab::{Lab, Node, Result};
use serde_json::{Value, json};

/// Runs of the plugin in the ring after which the test's script ends it, so that a plugin that does
/// not end it cannot fill the machine with processes.
const MAX_RUNS: usize = 100;

/// A folder for `CNI_PATH` with an IPAM plugin called `name` that is our own plugin: a copy of it,
/// behind a script that counts its runs.
fn install_ring(node: &Node, name: &str) -> Result {
    node.run(&["mkdir", "-p", "/run/ring"])?;
    node.write(
        format!("/run/ring/{name}"),
        format!(
            "#!/bin/sh\necho >> /run/ring/runs\n[ $(wc -l < /run/ring/runs) -gt {MAX_RUNS} ] && exit 1\n\
             exec /run/ring/copy\n"
        ),
    )?;
    let prepare = format!("cp /opt/cni/bin/flatland /run/ring/copy; chmod +x /run/ring/{name}");
    node.run(&["sh", "-ec", &prepare]).map(drop)
}

/// Runs our plugin with this IPAM plugin, and returns its error and how often the plugin in the ring
/// was run.
fn call(node: &Node, command: &str, ipam: &str) -> Result<(Value, usize)> {
    node.write("/run/ring/runs", "")?;
    let config = json!({
        "cniVersion": "1.1.0", "name": "ring", "type": "flatland", "mtu": 1500,
        "ipam": { "type": ipam },
        "prevResult": {},
        "cni.dev/valid-attachments": [],
    });
    let words = [
        "timeout",
        "60",
        "env",
        "CNI_PATH=/run/ring:/opt/cni/bin",
        &format!("CNI_COMMAND={command}"),
        "CNI_CONTAINERID=a",
        "CNI_NETNS=/run/netns/a",
        "CNI_IFNAME=eth0",
        "/opt/cni/bin/flatland",
    ];
    let output = node.run_with(&words, config.to_string().as_bytes())?;
    let error = serde_json::from_str(&output.stdout).unwrap_or_default();
    Ok((error, node.read("/run/ring/runs")?.lines().count()))
}

#[test]
fn plugin_that_delegates_to_itself_is_refused() -> Result {
    let lab = Lab::builder().etcd(0).start()?;
    let node = lab.node(1);
    let _pod = node.sandbox("a")?;
    install_ring(node, "flatland")?;
    install_ring(node, "ring")?;
    let before = node.attachment_state()?;
    for command in ["ADD", "CHECK", "DEL", "GC", "STATUS"] {
        let code = if command == "STATUS" { 50 } else { 7 };
        // It adds to the other findings of CHECK.
        let code_of_ring = if command == "CHECK" { 104 } else { code };

        let (error, runs) = call(node, command, "flatland")?;
        assert_eq!(
            (&error["code"], runs),
            (&json!(code), 0),
            "{command}: {error}"
        );
        let text = error["msg"].as_str().unwrap_or_default();
        assert!(
            text.contains("ipam.type: \"flatland\""),
            "{command}: {error}"
        );

        let (error, runs) = call(node, command, "ring")?;
        assert!(
            (1..=3).contains(&runs),
            "{command} ran it {runs} times: {error}"
        );
        assert_eq!(error["code"], code_of_ring, "{command}: {error}");
        let text = error["msg"].as_str().unwrap_or_default();
        assert!(text.contains("in a ring"), "{command}: {error}");
        assert_eq!(node.attachment_state()?, before, "{command}");
    }
    Ok(())
}
