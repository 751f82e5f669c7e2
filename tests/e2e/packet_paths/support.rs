//! What the three commands say.

use lab::{DEADLINE, Families, Lab, Node, Pod, Result, wait_until};
use serde_json::Value;

/// All three commands are content.
pub(crate) const NOTHING: [Vec<String>; 3] = [Vec::new(), Vec::new(), Vec::new()];

pub(crate) fn start() -> Result<Lab> {
    let lab = Lab::builder().nodes(2).families(Families::Dual).start()?;
    lab.start_routed()?;
    lab.wait_routes()?;
    Ok(lab)
}

/// What a command of `routed` prints as JSON.
pub(crate) fn report(node: &Node, command: &[&str]) -> Result<Value> {
    let output = node.routed_command(&[command, &["-o", "json"]].concat())?;
    Ok(serde_json::from_str(&output.stdout).expect(&output.stderr))
}

/// The sentences of those `found` whose `key` says that something is wrong, each with its cure.
pub(crate) fn sentences(
    found: &Value,
    name: &str,
    is_wrong: impl Fn(&Value) -> bool,
) -> Vec<String> {
    let found = found.as_array().into_iter().flatten();
    let found = found.filter(|it| it[name] == "packet paths" || it[name] == "packets");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    found
        .filter(|it| is_wrong(&it["verdict"]))
        .map(|it| format!("{}: {}", text(&it["evidence"]), text(&it["fix"])))
        .collect()
}

/// What the three commands say about packets that go elsewhere: doctor, status and explain.
pub(crate) fn said(node: &Node, from: &str, to: &str) -> Result<[Vec<String>; 3]> {
    let is_broken = |verdict: &Value| verdict == "broken";
    let doctor = report(node, &["doctor"])?;
    let explain = report(node, &["explain", from, to])?;
    let status = report(node, &["status"])?;
    let troubles = status["troubles"].as_array().into_iter().flatten();
    let troubles = troubles.filter_map(Value::as_str);
    Ok([
        sentences(&doctor["findings"], "check", is_broken),
        troubles
            .filter(|it| it.starts_with("packets "))
            .map(str::to_owned)
            .collect(),
        sentences(&explain["steps"], "link", is_broken),
    ])
}

/// Makes a fault and waits until all three name the same culprit and cure; mends it, and waits until
/// all three are content again.
pub(crate) fn each_names(node: &Node, pods: [&str; 2], fault: [&str; 2], parts: &[&str]) -> Result {
    let [make, mend] = fault;
    node.run(&["sh", "-c", make])?;
    let mut last = None;
    let has_all = |said: &[String]| {
        said.iter()
            .any(|it| parts.iter().all(|part| it.contains(part)))
    };
    wait_until(format!("{parts:?} after {make}"), DEADLINE, || {
        // Again, as the daemon may have mended it meanwhile.
        let _ = node.run(&["sh", "-c", make]);
        last = said(node, pods[0], pods[1]).ok();
        last.iter().any(|said| said.iter().all(|it| has_all(it)))
    })
    .map_err(|error| error.doing(format!("{last:#?}")))?;
    node.run(&["sh", "-c", mend])?;
    wait_until(format!("nothing after {mend}"), DEADLINE, || {
        last = said(node, pods[0], pods[1]).ok();
        last.iter().any(|said| said.iter().all(Vec::is_empty))
    })
    .map_err(|error| error.doing(format!("{last:#?}")))
}

pub(crate) fn address(pod: &Pod<'_>, v4: bool) -> String {
    let addresses = pod.addresses();
    let found = addresses.iter().find(|it| it.is_ipv4() == v4);
    found.map(ToString::to_string).unwrap_or_default()
}

pub(crate) fn host_end(node: &Node, pod: &str) -> Result<String> {
    let route = node.run(&["ip", "route", "show", pod])?;
    let mut words = route.split_whitespace().skip_while(|word| *word != "dev");
    Ok(words.nth(1).unwrap_or_default().to_owned())
}

/// As [`each_names`], for doctor and status alone: explain follows packets without a mark.
pub(crate) fn each_names_on_node(node: &Node, fault: [&str; 2], parts: &[&str]) -> Result {
    node.run(&["sh", "-c", fault[0]])?;
    let doctor = report(node, &["doctor"])?;
    let doctor = sentences(&doctor["findings"], "check", |verdict| verdict == "broken");
    let status = report(node, &["status"])?["troubles"]
        .to_string()
        .replace("\\\"", "\"");
    for said in [doctor.join("\n"), status] {
        assert!(parts.iter().all(|part| said.contains(part)), "{said}");
    }
    node.run(&["sh", "-c", fault[1]]).map(drop)
}
