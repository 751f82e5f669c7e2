//! What these tests have in common.

use lab::{CommandOutput, DEADLINE, Node, Result, wait_for};

/// The installed conflist, as a shell's variable in [`sh`].
pub(crate) const FILE: &str = "/etc/cni/net.d/10-flatland.conflist";

/// Runs a script with `$file`, the installed conflist.
pub(crate) fn sh(node: &Node, script: &str) -> Result<String> {
    node.run(&["sh", "-c", &format!("file={FILE}; {script}")])
}

/// What `/readyz` answers: the status and the body.
pub(crate) fn readyz(node: &Node) -> Result<(u16, String)> {
    let script = r"exec 3<>/dev/tcp/127.0.0.1/9470 && printf 'GET /readyz HTTP/1.1\r\nHost: n\r\nConnection: close\r\n\r\n' >&3 && cat <&3";
    let answer = node.run(&["bash", "-c", script])?;
    let status = answer.split(' ').nth(1).and_then(|code| code.parse().ok());
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    Ok((status.unwrap_or_default(), body.to_owned()))
}

/// Waits until a command of `routed` prints all of `texts`.
pub(crate) fn wait_said(node: &Node, command: &[&str], texts: &[&str]) -> Result<CommandOutput> {
    let mut last = None;
    let said = wait_for(format!("{texts:?} of routed {command:?}"), DEADLINE, || {
        let output = node.routed_command(command).ok()?;
        let is_said = texts.iter().all(|text| output.stdout.contains(text));
        last = Some(output.clone());
        is_said.then_some(output)
    });
    said.map_err(|error| error.doing(format!("{last:?}\n{}", node.routed_log())))
}

/// Waits until `/readyz` has this status, and a body that contains `text`.
pub(crate) fn wait_readyz(node: &Node, status: u16, text: &str) -> Result {
    let mut last = None;
    let said = wait_for(format!("/readyz {status} {text:?}"), DEADLINE, || {
        let found = readyz(node).ok()?;
        let is_it = found.0 == status && found.1.contains(text);
        last = Some(found);
        is_it.then_some(())
    });
    said.map_err(|error| error.doing(format!("{last:?}\n{}", node.routed_log())))
}

/// The verdict and evidence of a check of `routed doctor`.
pub(crate) fn doctor(node: &Node, check: &str) -> Result<String> {
    let output = node.routed_command(&["doctor"])?;
    let part = format!("  {check}: ");
    let mut lines = output.stdout.lines();
    let line = lines.find(|line| line.contains(&part));
    Ok(line.unwrap_or(&output.stdout).to_owned())
}
