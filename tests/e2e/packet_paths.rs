//! What takes pods' packets elsewhere is named by `routed doctor`, `routed status` and `routed
//! explain`, and by all of them alike.

use lab::{DEADLINE, Families, Lab, Node, Pod, Result, wait_until};
use serde_json::Value;

/// All three commands are content.
const NOTHING: [Vec<String>; 3] = [Vec::new(), Vec::new(), Vec::new()];

fn start() -> Result<Lab> {
    let lab = Lab::builder().nodes(2).families(Families::Dual).start()?;
    lab.start_routed()?;
    lab.wait_routes()?;
    Ok(lab)
}

/// What a command of `routed` prints as JSON.
fn report(node: &Node, command: &[&str]) -> Result<Value> {
    let output = node.routed_command(&[command, &["-o", "json"]].concat())?;
    Ok(serde_json::from_str(&output.stdout).expect(&output.stderr))
}

/// The sentences of those `found` whose `key` says that something is wrong, each with its cure.
fn sentences(found: &Value, name: &str, is_wrong: impl Fn(&Value) -> bool) -> Vec<String> {
    let found = found.as_array().into_iter().flatten();
    let found = found.filter(|it| it[name] == "packet paths" || it[name] == "packets");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    found
        .filter(|it| is_wrong(&it["verdict"]))
        .map(|it| format!("{}: {}", text(&it["evidence"]), text(&it["fix"])))
        .collect()
}

/// What the three commands say about packets that go elsewhere: doctor, status and explain.
fn said(node: &Node, from: &str, to: &str) -> Result<[Vec<String>; 3]> {
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
fn each_names(node: &Node, pods: [&str; 2], fault: [&str; 2], parts: &[&str]) -> Result {
    let [make, mend] = fault;
    node.run(&["sh", "-c", make])?;
    let mut last = None;
    let has_all = |said: &[String]| {
        said.iter()
            .any(|it| parts.iter().all(|part| it.contains(part)))
    };
    wait_until(format!("{parts:?} after {make}"), DEADLINE, || {
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

fn address(pod: &Pod<'_>, v4: bool) -> String {
    let addresses = pod.addresses();
    let found = addresses.iter().find(|it| it.is_ipv4() == v4);
    found.map(ToString::to_string).unwrap_or_default()
}

fn host_end(node: &Node, pod: &str) -> Result<String> {
    let route = node.run(&["ip", "route", "show", pod])?;
    let mut words = route.split_whitespace().skip_while(|word| *word != "dev");
    Ok(words.nth(1).unwrap_or_default().to_owned())
}

#[test]
fn policy_rule_before_main_is_named_by_all_commands() -> Result {
    let lab = start()?;
    let (one, two) = (lab.node(1), lab.node(2));
    let (a, b) = (one.add_pod("a")?, two.add_pod("b")?);
    let pods = [true, false].map(|v4| [address(&a, v4), address(&b, v4)]);
    let [v4, v6] = pods.each_ref().map(|[a, b]| [a.as_str(), b.as_str()]);

    // As Tailscale does.
    each_names(
        one,
        v4,
        [
            "ip route add 10.244.0.0/16 via 192.168.1.254 table 52 && ip rule add priority 5270 lookup 52",
            "ip rule del priority 5270",
        ],
        &[
            "should go via 192.168.1.12 dev eth0, but the policy rule \"5270: from all lookup 52\" \
             sends them to table 52",
            "10.244.0.0/16 via 192.168.1.254 dev eth0",
            "ip rule add priority 5269 to 10.244.0.0/16 lookup main",
        ],
    )?;
    each_names(
        one,
        v6,
        [
            "ip -6 route add unreachable fd00:10:244::/56 table 52 && \
             ip -6 rule add priority 5270 from fd00:10:244::/56 lookup 52",
            "ip -6 rule del priority 5270",
        ],
        &[
            "but the policy rule \"5270: from fd00:10:244::/56 lookup 52\" sends them to table 52",
            "ip -6 rule add priority 5269 to fd00:10:244::/56 lookup main",
        ],
    )?;
    for action in ["unreachable", "blackhole", "prohibit"] {
        each_names(
            one,
            v4,
            [
                &format!("ip rule add priority 100 to {} {action}", v4[1]),
                "ip rule del priority 100",
            ],
            &[
                &format!("to {} {action}\" refuses them", v4[1]),
                "ip rule del priority 100",
            ],
        )?;
    }
    // As wg-quick does, but with a length that passes over our routes, too.
    each_names(
        one,
        v4,
        [
            "ip rule add priority 32764 lookup main suppress_prefixlength 24 && \
             ip route add default via 192.168.1.254 table 51820 && \
             ip rule add priority 32765 not fwmark 0xca6c lookup 51820",
            "ip rule del priority 32764 && ip rule del priority 32765",
        ],
        &[
            "the policy rule \"32765: not from all fwmark 0xca6c lookup 51820\" sends them to table 51820",
            "\"32764: from all lookup main suppress_prefixlength 24\" passes over our route",
        ],
    )?;
    // A rule for packets that kube-proxy marks is met by packets to services.
    each_names_on_node(
        one,
        [
            "ip rule add priority 90 fwmark 0x4000/0x4000 unreachable",
            "ip rule del priority 90",
        ],
        &[
            "with kube-proxy's mark 0x4000",
            "fwmark 0x4000/0x4000 unreachable",
        ],
    )?;

    // With the cure that is given the packets pass.
    one.run(&["ip", "rule", "add", "priority", "5270", "lookup", "52"])?;
    one.run(&[
        "sh",
        "-c",
        "ip rule add priority 5269 to 10.244.0.0/16 lookup main",
    ])?;
    assert_eq!(said(one, v4[0], v4[1])?, NOTHING);
    // A rule for a mark that pods' packets do not have harms none of them.
    one.run(&[
        "sh",
        "-c",
        "ip rule del priority 5269 && ip rule del priority 5270",
    ])?;
    one.run(&[
        "sh",
        "-c",
        "ip rule add priority 5270 fwmark 0x10 lookup 52",
    ])?;
    assert_eq!(said(one, v4[0], v4[1])?, NOTHING);
    let doctor = one.routed_command(&["doctor"])?.stdout;
    assert!(doctor.contains("with mark 0x10 to "), "{doctor}");
    Ok(())
}

/// As [`each_names`], for doctor and status alone: explain follows packets without a mark.
fn each_names_on_node(node: &Node, fault: [&str; 2], parts: &[&str]) -> Result {
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

#[test]
fn foreign_route_that_wins_is_named_by_all_commands() -> Result {
    let lab = start()?;
    let (one, two) = (lab.node(1), lab.node(2));
    let (a, b) = (one.add_pod("a")?, two.add_pod("b")?);
    let [a4, b4, a6, b6] =
        [(&a, true), (&b, true), (&a, false), (&b, false)].map(|(pod, v4)| address(pod, v4));
    let v6_subnet = two
        .owned()?
        .into_iter()
        .find(|it| it.contains(':'))
        .unwrap_or_default();
    for (pods, make, mend, parts) in [
        (
            [&a4, &b4],
            format!("ip route add {b4} via 192.168.1.254 proto static"),
            format!("ip route del {b4}"),
            vec![
                "should go via 192.168.1.12 dev eth0, but another program's route wins: "
                    .to_owned(),
                format!("{b4}/32 via 192.168.1.254 dev eth0 proto static"),
                format!("ip route del {b4}/32 via 192.168.1.254 dev eth0"),
            ],
        ),
        // Of two IPv6 routes to one prefix the one with the lower metric.
        (
            [&a6, &b6],
            format!("ip -6 route add {v6_subnet} via fd00:192:168:1::fe metric 100 proto bird"),
            format!("ip -6 route del {v6_subnet} metric 100"),
            vec![
                format!(
                    "another program's route wins: {v6_subnet} via fd00:192:168:1::fe dev eth0 proto bird"
                ),
                format!("ip -6 route del {v6_subnet} via fd00:192:168:1::fe dev eth0 metric 100"),
            ],
        ),
        (
            [&a4, &b4],
            format!("ip route add blackhole {b4}"),
            format!("ip route del blackhole {b4}"),
            vec![format!("another program's route wins: {b4}/32")],
        ),
    ] {
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        each_names(one, [pods[0], pods[1]], [&make, &mend], &parts)?;
    }
    Ok(())
}

#[test]
fn link_that_does_not_forward_is_named_by_all_commands() -> Result {
    let lab = start()?;
    let (one, two) = (lab.node(1), lab.node(2));
    let (a, b) = (one.add_pod("a")?, two.add_pod("b")?);
    let [a4, b4] = [&a, &b].map(|pod| address(pod, true));
    for link in ["eth0".to_owned(), host_end(one, &a4)?] {
        let setting = format!("net.ipv4.conf.{link}.forwarding");
        each_names(
            one,
            [&a4, &b4],
            [
                &format!("sysctl -qw {setting}=0"),
                &format!("sysctl -qw {setting}=1"),
            ],
            &[
                &format!("but {link} forwards nothing: {setting} = 0"),
                &format!("sysctl -w {setting}=1"),
            ],
        )?;
    }

    // IPv6 forwards all the same: a remark.
    one.run(&["sysctl", "-qw", "net.ipv6.conf.eth0.forwarding=0"])?;
    let target = address(&b, false);
    a.run(&["ping", "-c1", "-W5", &target])?;
    let doctor = one.routed_command(&["doctor"])?.stdout;
    let explain = one
        .routed_command(&["explain", &address(&a, false), &target])?
        .stdout;
    let status = report(one, &["status"])?["remarks"].to_string();
    for said in [doctor, explain, status] {
        assert!(said.contains("net.ipv6.conf.eth0.forwarding = 0"), "{said}");
    }
    Ok(())
}
