//! An ADD that fails leaves nothing, whatever made it fail, and needs no DEL for it.

use lab::{Lab, Node, Result, Runtime};
use serde_json::{Value, json};

/// What the IPAM plugin does in ADD when it has reserved the addresses, and what ADD says then.
const BAD_ANSWERS: [(&str, &str); 14] = [
    ("exit 0", "ipam did not print a result: it printed nothing"),
    ("echo nonsense", "ipam did not print a result"),
    ("echo '[]'", "ipam: not a JSON object"),
    ("echo '{}'", "gave a/eth0 no address"),
    (
        r#"echo '{"cniVersion":"1.0.0","ips":[]}'"#,
        "gave a/eth0 no address",
    ),
    (
        r#"echo '{"cniVersion":"1.0.0","ips":[{"address":"10.244.0.300/24"}]}'"#,
        "ips[0].address",
    ),
    (
        r#"echo '{"cniVersion":"1.0.0","ips":[{"gateway":"10.244.0.1"}]}'"#,
        "ips[0].address is missing",
    ),
    (
        r#"echo '{"cniVersion":"9.0.0","ips":[{"address":"10.244.0.3/24"}]}'"#,
        "9.0.0",
    ),
    // The kernel refuses what follows, at one step or another.
    (
        r#"echo '{"cniVersion":"1.0.0","ips":[{"address":"224.0.0.1/32"}]}'"#,
        "224.0.0.1",
    ),
    (
        r#"echo '{"cniVersion":"1.0.0","ips":[{"address":"ff02::7/128"}]}'"#,
        "ff02::7",
    ),
    (
        r#"echo '{"cniVersion":"1.0.0","ips":[{"address":"10.9.0.3/32"},{"address":"10.9.0.3/32"}]}'"#,
        "10.9.0.3",
    ),
    ("exit 3", "failed with exit status 3 and no error"),
    (
        r#"echo '{"code":11,"msg":"try later"}'; exit 1"#,
        "ipam: try later",
    ),
    ("kill -9 $$", "was killed by signal 9"),
];

/// Puts a script before the IPAM plugin: its ADD reserves addresses, and then answers so.
fn answer(node: &Node, answer: &str) -> Result {
    let script = format!(
        "#!/bin/sh\n\
         echo $CNI_COMMAND >> /run/verbs\n\
         [ $CNI_COMMAND = ADD ] || exec /opt/cni/real\n\
         /opt/cni/real > /dev/null || exit\n\
         {answer}\n"
    );
    node.write("/opt/cni/bin/flatland-ipam", script)
}

#[test]
fn whatever_the_ipam_plugin_answers_it_has_its_addresses_back_and_nothing_is_left() -> Result {
    let lab = Lab::builder().etcd(0).start()?;
    let node = lab.node(1);
    node.install_conflist()?;
    node.add_pod("first")?.delete()?;
    let pod = node.sandbox("a")?;
    let before = node.traces()?;
    let inside = || pod.run(&["sh", "-c", "ip -o link; ip address; ip route; ip neigh"]);
    let inside_before = inside()?;
    node.run(&["mv", "/opt/cni/bin/flatland-ipam", "/opt/cni/real"])?;
    node.run(&["cp", "/opt/cni/real", "/opt/cni/bin/flatland-ipam"])?;

    for (bad, expected) in BAD_ANSWERS {
        answer(node, bad)?;
        node.write("/run/verbs", "")?;

        let error = Runtime::of(node)?.add(pod.target()).unwrap_err();

        let error = error.to_string();
        assert!(error.contains(expected), "{bad}: {error}");
        assert_eq!(node.read("/run/verbs")?, "ADD\nDEL\n", "{bad}: {error}");
        assert_eq!(node.traces()?, before, "{bad}: {error}");
        assert_eq!(inside()?, inside_before, "{bad}: {error}");
    }
    Ok(())
}

#[test]
fn a_second_add_does_not_free_what_the_pod_has_from_an_ipam_plugin_that_gives_it_again() -> Result {
    let lab = Lab::builder().etcd(0).start()?;
    let node = lab.node(1);
    node.install_conflist()?;
    node.add_pod("first")?.delete()?;
    let mut pod = node.sandbox("a")?;
    let before = node.traces()?;
    node.run(&["mv", "/opt/cni/bin/flatland-ipam", "/opt/cni/real"])?;
    node.run(&["cp", "/opt/cni/real", "/opt/cni/bin/flatland-ipam"])?;
    let script = "#!/bin/sh\n\
                  [ $CNI_COMMAND = ADD ] || exec /opt/cni/real\n\
                  [ -s /run/given ] || /opt/cni/real > /run/given\n\
                  cat /run/given\n";
    node.write("/opt/cni/bin/flatland-ipam", script)?;

    pod.attach()?;
    let error = Runtime::of(node)?.add(pod.target()).unwrap_err();

    let error = error.to_string();
    assert!(
        error.contains("\"code\":100") && error.contains("attached already"),
        "{error}"
    );
    pod.check()?;
    for address in pod.addresses() {
        node.run(&["ping", "-c1", "-W5", &address.to_string()])?;
    }
    pod.detach()?;
    assert_eq!(node.traces()?, before);
    Ok(())
}

#[test]
fn what_is_wrong_before_the_ipam_plugin_is_asked_never_reaches_it() -> Result {
    let lab = Lab::builder().etcd(0).start()?;
    let node = lab.node(1);
    node.install_conflist()?;
    node.add_pod("first")?.delete()?;
    let pod = node.sandbox("a")?;
    let before = node.traces()?;
    node.run(&["mv", "/opt/cni/bin/flatland-ipam", "/opt/cni/real"])?;
    node.run(&["cp", "/opt/cni/real", "/opt/cni/bin/flatland-ipam"])?;
    answer(node, "exit 0")?;
    node.write("/run/verbs", "")?;

    let cases: [(&str, Value, &str); 5] = [
        ("mtu", json!(-1), "mtu"),
        ("sysctl", json!({ "net.ipv4.ip_forward": "1" }), "sysctl"),
        (
            "runtimeConfig",
            json!({ "mac": "nonsense" }),
            "runtimeConfig.mac",
        ),
        ("prevResult", json!({ "ips": [{}] }), "prevResult"),
        (
            "ipam",
            json!({ "type": "absent" }),
            "absent is not in CNI_PATH",
        ),
    ];
    for (key, value, expected) in cases {
        let mut conflist = lab.conflist();
        conflist["plugins"][0][key] = value;
        let error = Runtime::with(node, conflist)?.add(pod.target());
        let error = error.unwrap_err().to_string();
        assert!(error.contains(expected), "{key}: {error}");
        assert_eq!(node.read("/run/verbs")?, "", "{key}");
        assert_eq!(node.traces()?, before, "{key}");
    }
    Ok(())
}
