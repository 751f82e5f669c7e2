//! CHECK by the chained plugins after ours, which read our result.

use lab::{Result, Runtime};
use serde_json::{Value, json};

use crate::support::{cluster, no_runtime_config};

/// Values of `runtimeConfig`.
fn runtime_config() -> [Value; 4] {
    let ports = json!([{ "hostPort": 8080, "containerPort": 80, "protocol": "tcp" }]);
    let rate = json!({ "ingressRate": 8_000_000, "ingressBurst": 800_000 });
    [
        no_runtime_config(),
        json!({ "portMappings": ports }),
        json!({ "bandwidth": rate }),
        json!({ "portMappings": ports, "bandwidth": rate }),
    ]
}

/// Some CHECKs of Debian 12's portmap and bandwidth fail after any plugin: portmap looks for its
/// IPv4 rules in ip6tables, bandwidth for limits that were not requested. So the verdicts are
/// compared with those after Debian's own interface plugins.
#[test]
fn chained_plugins_check_as_after_debians_own_plugins() -> Result {
    let lab = cluster(1)?;
    let node = lab.node(1);
    node.install_plugins(&["ptp", "host-local"])?;
    let mut conflist = lab.shipped_conflist()?;
    conflist["plugins"][0] = json!({ "type": "ptp", "ipam": {
        "type": "host-local", "ranges": [[{ "subnet": "10.9.0.0/24" }], [{ "subnet": "fd00:9::/64" }]],
    } });
    let mut flawless = 0;
    for (number, runtime_config) in runtime_config().iter().enumerate() {
        let verdicts = |runtime: Runtime<'_>, name: &str| -> Result<Vec<bool>> {
            let pod = node.sandbox(name)?;
            let attached = runtime.add(pod.target())?;
            let verdicts = runtime.check_each(pod.target(), &attached)?;
            runtime.del(pod.target(), Some(&attached))?;
            pod.delete_netns()?;
            Ok(verdicts
                .iter()
                .map(|output| output.status.success())
                .collect())
        };
        let theirs = Runtime::with(node, conflist.clone())?.with_runtime_config(runtime_config);
        let theirs = verdicts(theirs, &format!("theirs{number}"))?;
        let ours = Runtime::of(node)?.with_runtime_config(runtime_config);
        let ours = verdicts(ours, &format!("ours{number}"))?;
        assert_eq!(ours, theirs, "{runtime_config}");
        assert!(ours[0], "{runtime_config}");
        flawless += usize::from(ours.iter().all(|passed| *passed));
    }
    assert!(flawless > 0, "no chain passes CHECK: nothing was compared");
    Ok(())
}
