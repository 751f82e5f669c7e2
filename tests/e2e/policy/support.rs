//! Pods that answer, and who reaches whom.

use std::net::IpAddr;

use lab::policy::{PodObject, PolicyCluster};
use lab::probe::{LISTENING, PORT, ProbeAnswer};
use lab::{DEADLINE, Pod, Process, Result, wait_until};
use serde_json::{Value, json};

/// The probe program, as installed on nodes.
pub(crate) const LAB: &str = "/opt/flatland/lab";

/// How long a denied connection is waited for. One that is allowed has [`DEADLINE`].
pub(crate) const DENIED_MS: &str = "400";

/// A pod that answers on TCP and UDP.
pub(crate) struct Answering<'a> {
    pub(crate) pod: Pod<'a>,
    _server: Process,
}

impl<'a> Answering<'a> {
    /// Starts the server of a pod, on these ports.
    pub(crate) fn on(pod: Pod<'a>, ports: &[u16]) -> Result<Self> {
        let ports: Vec<_> = ports.iter().map(u16::to_string).collect();
        let server = pod.spawn("serve", &[LAB, "serve", "--port", &ports.join(",")])?;
        wait_until("server that listens", DEADLINE, || {
            server.log().contains(LISTENING)
        })?;
        Ok(Self {
            pod,
            _server: server,
        })
    }
}

/// A pod on node `number` that answers.
pub(crate) fn answering<'a>(
    cluster: &'a PolicyCluster,
    number: usize,
    pod: &PodObject,
) -> Result<Answering<'a>> {
    Answering::on(cluster.pod(number, pod)?, &[PORT])
}

/// The addresses of `to` that answer `from` by TCP and by UDP: `tcp4 udp4 tcp6 udp6`.
pub(crate) fn reached(from: &Pod<'_>, to: &Pod<'_>, port: u16) -> Result<String> {
    Ok(answered(&query(from, &to.addresses(), port)?))
}

/// What was answered, as [`ALL`].
pub(crate) fn answered(answers: &[ProbeAnswer]) -> String {
    let mut words = Vec::new();
    for answer in answers {
        let family = if answer.target.is_ipv4() { 4 } else { 6 };
        words.extend(answer.tcp.is_ok().then(|| format!("tcp{family}")));
        words.extend(answer.udp.is_ok().then(|| format!("udp{family}")));
    }
    words.join(" ")
}

/// Asks addresses on one port.
pub(crate) fn query(from: &Pod<'_>, targets: &[IpAddr], port: u16) -> Result<Vec<ProbeAnswer>> {
    let port = port.to_string();
    let mut words = [
        LAB,
        "query",
        "--no-ping",
        "--limit-ms",
        DENIED_MS,
        "--port",
        &port,
    ]
    .map(str::to_owned)
    .to_vec();
    words.extend(targets.iter().map(ToString::to_string));
    Ok(serde_json::from_str(&from.run(&words)?).unwrap_or_default())
}

/// All of both families.
pub(crate) const ALL: &str = "tcp4 udp4 tcp6 udp6";

/// Waits until `from` reaches exactly this of `to` on the port of [`lab::probe`].
pub(crate) fn wait_reached(from: &Pod<'_>, to: &Pod<'_>, expected: &str) -> Result {
    wait_reached_on(from, to, PORT, expected)
}

/// Waits until `from` reaches exactly this of `to`.
pub(crate) fn wait_reached_on(from: &Pod<'_>, to: &Pod<'_>, port: u16, expected: &str) -> Result {
    let mut last = String::new();
    let what = format!("{} to {}:{port}: {expected:?}", from.name(), to.name());
    wait_until(what, DEADLINE, || {
        last = reached(from, to, port).unwrap_or_else(|error| error.to_string());
        last == expected
    })
    .map_err(|error| error.doing(format!("reached: {last:?}\n{}", state(to))))
}

/// What a node says of its rules, for a test that failed.
fn state(pod: &Pod<'_>) -> String {
    let commands = [
        &["/opt/flatland/flatland-policy", "status"][..],
        &["/opt/flatland/flatland-policy", "rules"],
        &["nft", "list", "table", "inet", "flatland-policy"],
        &["cat", "/var/log/flatland-policy.log"],
    ];
    let output = |command: &&[&str]| {
        let output = pod.machine().run_with(command, b"");
        output.map_or_else(|error| error.to_string(), |it| it.stdout + &it.stderr)
    };
    commands.iter().map(output).collect::<Vec<_>>().join("\n")
}

/// The spec of a policy that isolates all pods of its namespace in these directions and allows nothing.
pub(crate) fn deny(types: &[&str]) -> Value {
    json!({ "podSelector": {}, "policyTypes": types })
}

/// A peer: the pods with this label in the policy's namespace.
pub(crate) fn pods(key: &str, value: &str) -> Value {
    json!({ "podSelector": { "matchLabels": { key: value } } })
}
