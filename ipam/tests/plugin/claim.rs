//! The program that claims subnets.

use wire::cni::code;

use crate::sandbox::{PROGRAMS, Sandbox};

fn node() -> Sandbox {
    Sandbox::new(&["10.9.0.0/16"], &[24])
}

#[test]
fn only_who_has_to_claim_needs_it() {
    let mut sandbox = node();
    sandbox.path = "/nowhere";
    let status = sandbox.call("STATUS", "a");
    assert_eq!(status.code(), u64::from(code::UNAVAILABLE));
    for answer in [&status, &sandbox.call("ADD", "a")] {
        let said = "flatland-claim is not in CNI_PATH (/nowhere)";
        assert!(answer.message().contains(said), "{answer:?}");
    }

    sandbox.path = PROGRAMS;
    sandbox.add("a");
    sandbox.path = "/nowhere";
    sandbox.add("b");
    sandbox.del("a");
    assert!(sandbox.call("STATUS", "c").ok);
}

#[test]
fn its_errors_are_those_of_the_plugin() {
    let sandbox = node();
    sandbox.shell("rm /etc/machine-id");
    let answer = sandbox.call("ADD", "a");
    let message = answer.message();
    assert!(
        message.starts_with("cannot read the machine id"),
        "{message}"
    );
    assert!(message.contains("systemd-machine-id-setup"), "{message}");
}

#[test]
fn what_it_is_not_told_to_claim_it_does_not() {
    let sandbox = node();
    let claim = env!("CARGO_BIN_EXE_flatland-claim");
    let call = "CNI_CONTAINERID=a CNI_IFNAME=eth0 CNI_NETNS=/proc/self/ns/net";
    for (verb, arguments, said) in [
        ("ADD", "", "do not say what to claim"),
        ("ADD", "1000 everything", "do not say what to claim"),
        ("DEL", "1000 missing", "does nothing else"),
    ] {
        let script = format!(
            "printf '%s' '{}' | CNI_COMMAND={verb} {call} {claim} {arguments} || true
             test ! -e /var/lib/flatland",
            sandbox.config
        );
        let printed = sandbox.shell(&script);
        assert!(printed.contains(said), "{printed}");
    }
}
