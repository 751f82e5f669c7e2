//! Other programs rename, remove or change the installed conflist.

use lab::{DEADLINE, Lab, Node, Result, wait_until};
use nix::sys::signal::Signal;

use crate::support::{FILE, doctor, sh, wait_readyz, wait_said};

fn node_of(lab: &Lab) -> Result<(&Node, String)> {
    let node = lab.node(1);
    node.start_routed()?;
    wait_readyz(node, 200, "ok")?;
    Ok((node, node.read(FILE)?))
}

/// Waits until the file is as it was, a plain file of mode 0644.
fn wait_back(node: &Node, content: &str) -> Result {
    wait_until("the conflist put back", DEADLINE, || {
        let is_plain = || sh(node, r#"test ! -L "$file" && stat -c %a "$file""#);
        node.read(FILE).is_ok_and(|found| found == content)
            && is_plain().is_ok_and(|mode| mode.trim() == "644")
    })
    .map_err(|error| error.doing(node.routed_log()))
}

#[test]
fn conflist_that_is_taken_away_is_put_back() -> Result {
    let lab = Lab::builder().nodes(1).etcd(0).start()?;
    let (node, content) = node_of(&lab)?;
    for (script, how) in [
        (
            r#"mv "$file" "$file.cilium_bak""#,
            "renamed it to 10-flatland.conflist.cilium_bak",
        ),
        (r#"mv "$file" /tmp"#, "removed it"),
        (r#"rm "$file""#, "removed it"),
        (r#": > "$file""#, "emptied it"),
        (r#"echo '{}' > "$file""#, "changed its content"),
        (
            r#"sed -i 's/"plugins": \[/&{"type":"istio-cni"},/' "$file""#,
            "added the plugin istio-cni to it",
        ),
        (r#"chmod 600 "$file""#, "changed its mode to 0600"),
        (
            r#"cp "$file" /tmp/other && ln -sf /tmp/other "$file""#,
            "replaced it by a symbolic link to /tmp/other",
        ),
        (r#"rm -r "$(dirname "$file")""#, "removed it"),
        ("cd /etc/cni && mv net.d old && mkdir net.d", "removed it"),
        (r#"mount -t tmpfs tmpfs "$(dirname "$file")""#, "removed it"),
    ] {
        sh(node, script)?;
        node.wait_log(&format!("{FILE} put back: another program {how}"))
            .map_err(|error| error.doing(script))?;
        wait_back(node, &content).map_err(|error| error.doing(script))?;
        wait_readyz(node, 200, "ok")?;
        node.end_routed(Signal::SIGTERM)?;
        sh(node, r#"rm -f "$file.cilium_bak"; : > /var/log/routed.log"#)?;
        // Each in a daemon of its own: it waits longer from one time to the next.
        node.start_routed()?;
        node.wait_log("10-flatland.conflist is in place")?;
    }
    Ok(())
}

#[test]
fn conflist_that_is_taken_away_again_and_again_is_no_loop() -> Result {
    let lab = Lab::builder().nodes(1).etcd(0).start()?;
    let (node, content) = node_of(&lab)?;
    for _ in 0..3 {
        sh(node, r#"mv "$file" "$file.cilium_bak""#)?;
        wait_back(node, &content)?;
    }
    // The next time it takes four seconds.
    sh(node, r#"mv "$file" "$file.cilium_bak""#)?;
    let how = "another program renamed it to 10-flatland.conflist.cilium_bak";
    wait_readyz(node, 503, how)?;
    let found = doctor(node, "installed conflist")?;
    assert!(
        found.starts_with("broken") && found.contains("cilium_bak"),
        "{found}"
    );
    let keeps = "another program keeps changing /etc/cni/net.d/10-flatland.conflist: the last time \
                 it renamed it to 10-flatland.conflist.cilium_bak; stop it";
    wait_said(
        node,
        &["status"],
        &[": not well", "not ready for pods", how, keeps],
    )?;
    wait_back(node, &content)?;
    wait_readyz(node, 200, "ok")?;
    // Ready again, but not well.
    wait_said(node, &["status"], &[": not well", "ready      yes", keeps])?;
    assert_eq!(node.count_logged("put back"), 1, "{}", node.routed_log());
    assert_eq!(
        node.count_logged("keeps changing"),
        1,
        "{}",
        node.routed_log()
    );
    Ok(())
}
