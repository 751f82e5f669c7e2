//! CHECK by the plugins after ours, which go by our result.

use lab::{Result, Runtime};
use serde_json::{Value, json};

use crate::support::{cluster, plain};

/// What a runtime may have to say about a pod.
fn wishes() -> [Value; 4] {
    let ports = json!([{ "hostPort": 8080, "containerPort": 80, "protocol": "tcp" }]);
    let rate = json!({ "ingressRate": 8_000_000, "ingressBurst": 800_000 });
    [
        plain(),
        json!({ "portMappings": ports }),
        json!({ "bandwidth": rate }),
        json!({ "portMappings": ports, "bandwidth": rate }),
    ]
}

/// Debian 12's portmap and bandwidth fail some of these CHECKs whoever comes before them: portmap
/// looks for its IPv4 rules in ip6tables, bandwidth for limits that nobody asked for.
#[test]
fn later_plugins_find_behind_ours_what_they_find_behind_debians_own() -> Result {
    let lab = cluster(1)?;
    let node = lab.node(1);
    node.install_plugins(&["ptp", "host-local"])?;
    let mut conflist = lab.shipped_conflist()?;
    conflist["plugins"][0] = json!({ "type": "ptp", "ipam": {
        "type": "host-local", "ranges": [[{ "subnet": "10.9.0.0/24" }], [{ "subnet": "fd00:9::/64" }]],
    } });
    let mut flawless = 0;
    for (number, wishes) in wishes().iter().enumerate() {
        let verdicts = |runtime: Runtime<'_>, name: &str| -> Result<Vec<bool>> {
            let pod = node.sandbox(name)?;
            let attached = runtime.add(pod.target())?;
            let verdicts = runtime.check_each(pod.target(), &attached)?;
            runtime.del(pod.target(), Some(&attached))?;
            pod.vanish()?;
            Ok(verdicts
                .iter()
                .map(|output| output.status.success())
                .collect())
        };
        let theirs = Runtime::with(node, conflist.clone())?.wishing(wishes);
        let theirs = verdicts(theirs, &format!("theirs{number}"))?;
        let ours = Runtime::of(node)?.wishing(wishes);
        let ours = verdicts(ours, &format!("ours{number}"))?;
        assert_eq!(ours, theirs, "{wishes}");
        assert!(ours[0], "{wishes}");
        flawless += usize::from(ours.iter().all(|passed| *passed));
    }
    assert!(flawless > 0, "no chain passes CHECK: nothing was compared");
    Ok(())
}
