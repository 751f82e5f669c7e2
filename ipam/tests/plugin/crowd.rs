//! Many concurrent processes, and killed processes.

use std::collections::BTreeSet;
use std::process::Child;
use std::time::Duration;

use ipnet::IpNet;

use crate::sandbox::{PluginOutput, Sandbox};

const CROWD: usize = 300;

fn wait(children: Vec<Child>) -> Vec<PluginOutput> {
    children
        .into_iter()
        .map(|child| child.wait_with_output().unwrap().into())
        .collect()
}

#[test]
fn concurrent_processes_get_different_addresses_and_free_all() {
    let sandbox = Sandbox::new(&["10.9.0.0/16", "fd00::/56"], &[22, 80]);
    let all = |verb: &str| {
        let start = |number| sandbox.start(verb, &format!("pod{number}"), &sandbox.config);
        wait((0..CROWD).map(start).collect())
    };
    let added = all("ADD");
    let distinct: BTreeSet<String> = added.iter().flat_map(PluginOutput::addresses).collect();
    assert_eq!(distinct.len(), 2 * CROWD);
    assert_eq!(sandbox.names("addresses").len(), 2 * CROWD);
    for answer in all("DEL") {
        assert!(answer.ok, "{answer:?}");
    }
    assert!(sandbox.names("addresses").is_empty() && sandbox.names("attachments").is_empty());
}

#[test]
fn of_two_adds_for_one_attachment_one_wins() {
    let sandbox = Sandbox::new(&["10.9.0.0/16"], &[24]);
    for _ in 0..20 {
        let both = (0..2)
            .map(|_| sandbox.start("ADD", "a", &sandbox.config))
            .collect();
        let answers = wait(both);
        let (won, lost): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.ok);
        assert_eq!((won.len(), lost.len()), (1, 1), "{answers:?}");
        assert_eq!(lost[0].code(), 100);
        sandbox.del("a");
    }
}

#[test]
fn del_frees_what_killed_processes_leave() {
    let mut sandbox = Sandbox::new(&["10.9.0.0/16", "fd00::/56"], &[27, 123]);
    // Otherwise a further subnet is claimed while so many addresses cool down.
    sandbox.config["ipam"]["coolDown"] = 0.into();
    for round in 0..200_u32 {
        let verb = if round % 2 == 0 { "ADD" } else { "DEL" };
        let pod = format!("pod{}", round / 2 % 20);
        let mut child = sandbox.start(verb, &pod, &sandbox.config);
        // No synchronisation: hits another instruction each time.
        std::thread::sleep(Duration::from_micros(u64::from(round) * 97 % 4_000));
        let _ = child.kill();
        child.wait().unwrap();
    }
    for pod in 0..20 {
        sandbox.del(&format!("pod{pod}"));
    }
    assert!(sandbox.names("addresses").is_empty() && sandbox.names("attachments").is_empty());
    let subnet = |address: &String| address.parse::<IpNet>().unwrap().trunc();
    let all = (0..29).flat_map(|pod| sandbox.add(&format!("new{pod}")));
    let addresses: BTreeSet<_> = all.collect();
    assert_eq!(addresses.len(), 58);
    let subnets: BTreeSet<_> = addresses.iter().map(subnet).collect();
    assert_eq!(subnets.len(), 2, "every address of both is there again");
    assert!(!subnets.contains(&subnet(&sandbox.add("one-too-many")[0])));
}
