//! A full `/run`: freeing addresses always makes ADD possible again.

use serde_json::{Value, json};

use crate::sandbox::Sandbox;

/// Pods until the file system is full.
fn fill(sandbox: &Sandbox, name: &str) -> Vec<String> {
    let mut pods = Vec::new();
    loop {
        let pod = format!("{name}{}", pods.len());
        let answer = sandbox.call("ADD", &pod);
        if !answer.ok {
            assert_eq!(answer.code(), 5, "{answer:?}");
            assert!(answer.message().contains("df -i"), "{answer:?}");
            return pods;
        }
        pods.push(pod);
    }
}

/// A node whose ledger is on a small file system: a few kB, or a few files.
fn small(options: &str) -> Sandbox {
    let sandbox = Sandbox::new(&["10.9.0.0/16", "fd00::/56"], &[24, 80]);
    sandbox.shell(&format!(
        "mkdir /run/flatland; mount -t tmpfs -o {options} none /run/flatland"
    ));
    sandbox
}

const SMALL: [&str; 2] = ["size=64k", "size=4m,nr_inodes=40"];

/// Takes the room that is left, as another program would.
const USE_UP: &str = "cd /run/flatland
    dd if=/dev/zero of=filler0 bs=4096 2>/dev/null || true
    for i in $(seq 50); do touch filler$i 2>/dev/null || break; done";

#[test]
fn freed_addresses_make_add_possible_on_a_full_run() {
    for options in SMALL {
        let sandbox = small(options);
        let pods = fill(&sandbox, "a");
        assert!(pods.len() > 4, "{options}: {pods:?}");
        for pod in &pods {
            sandbox.del(pod);
        }
        assert_eq!(fill(&sandbox, "b").len(), pods.len(), "{options}: DEL");

        let mut config = sandbox.config.clone();
        config["cni.dev/valid-attachments"] = Value::Array(Vec::new());
        let answer = sandbox.call_with("GC", "", &config);
        assert!(answer.ok, "{options}: {answer:?}");
        assert_eq!(fill(&sandbox, "c").len(), pods.len(), "{options}: GC");
    }
}

#[test]
fn freed_files_of_a_full_run_go_although_others_fill_it() {
    for options in SMALL {
        let sandbox = small(options);
        let pods = fill(&sandbox, "a");
        for round in 0..2 {
            sandbox.shell("rm -f /run/flatland/net/queues/*");
            for pod in &pods {
                sandbox.del(pod);
            }
            sandbox.shell(USE_UP);
            sandbox.add(&pods[0]);
            sandbox.del(&pods[0]);
            assert!(sandbox.call("STATUS", "").ok, "{options} {round}");
        }
        assert!(sandbox.names("addresses").is_empty());
    }
}

#[test]
fn address_discarded_on_a_full_run_is_found_again() {
    let mut sandbox = small("size=40k");
    sandbox.config["ipam"]["podCIDRs"] = json!(["10.9.0.0/29"]);
    sandbox.config["ipam"]["subnetLengths"] = json!([30]);
    // Two subnets of one address each; the queues and files take half of the room.
    let [a, b] = ["a", "b"].map(|pod| sandbox.add(pod));
    sandbox.del("a");
    sandbox.shell(USE_UP);
    sandbox.shell("rm /run/flatland/net/queues/*");
    assert_eq!(sandbox.add("c"), a);
    sandbox.del("b");
    assert_eq!(sandbox.add("d"), b);
}
