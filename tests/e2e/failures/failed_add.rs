//! A failed ADD leaves nothing, whatever the cause, and needs no DEL.

use lab::{Node, Result, Runtime};
use serde_json::{Value, json};

use crate::support::{lab, wrap_ipam};

/// What the IPAM plugin does in ADD after it has reserved the addresses, and the error of ADD.
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
    // The kernel refuses the following results, at different steps.
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

/// From now on the IPAM plugin records its calls, and its ADD reserves addresses and then returns
/// `answer`.
fn answer(node: &Node, answer: &str) -> Result {
    let script = format!(
        "echo $CNI_COMMAND >> /run/verbs\n\
         [ $CNI_COMMAND = ADD ] || exec $REAL\n\
         $REAL > /dev/null || exit\n\
         {answer}"
    );
    node.write("/run/verbs", "")?;
    wrap_ipam(node, &script)
}

#[test]
fn bad_ipam_answer_fails_add_and_frees_addresses() -> Result {
    let lab = lab()?;
    let node = lab.node(1);
    let pod = node.sandbox("a")?;
    let before = node.attachment_state()?;
    let inside = || pod.run(&["sh", "-c", "ip -o link; ip address; ip route; ip neigh"]);
    let inside_before = inside()?;
    for (bad, expected) in BAD_ANSWERS {
        answer(node, bad)?;

        let error = Runtime::of(node)?.add(pod.target()).unwrap_err();

        let error = error.to_string();
        assert!(error.contains(expected), "{bad}: {error}");
        assert_eq!(node.read("/run/verbs")?, "ADD\nDEL\n", "{bad}: {error}");
        assert_eq!(node.attachment_state()?, before, "{bad}: {error}");
        assert_eq!(inside()?, inside_before, "{bad}: {error}");
    }
    Ok(())
}

#[test]
fn error_before_delegation_does_not_call_ipam() -> Result {
    let lab = lab()?;
    let node = lab.node(1);
    let pod = node.sandbox("a")?;
    let before = node.attachment_state()?;
    answer(node, "exit 0")?;

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
        assert_eq!(node.attachment_state()?, before, "{key}");
    }
    Ok(())
}
