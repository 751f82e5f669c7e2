//! `flatland-claim`, run by `flatland-ipam` and by hand.

use wire::cni::code;

use crate::sandbox::Sandbox;

fn node() -> Sandbox {
    Sandbox::new(&["10.9.0.0/16"], &[29])
}

/// Runs the plugin from its own folder, after a script may have put `flatland-claim` beside it.
fn run_from_own_folder(sandbox: &mut Sandbox, script: &str) {
    let script = format!(
        "mkdir -p /run/programs && cd /run/programs && rm -f flatland-claim
         [ -e flatland-ipam ] || {{ touch flatland-ipam; mount --bind {} flatland-ipam; }}
         {script}",
        env!("CARGO_BIN_EXE_flatland-ipam")
    );
    sandbox.shell(&script);
    sandbox.program = "/run/programs/flatland-ipam";
}

#[test]
fn helper_is_needed_only_to_claim() {
    let mut sandbox = node();
    let whole = sandbox.program;
    let is_missed = |sandbox: &Sandbox| {
        let status = sandbox.call("STATUS", "more");
        assert_eq!(status.code(), u64::from(code::UNAVAILABLE));
        for answer in [&status, &sandbox.call("ADD", "more")] {
            let text = "flatland-claim is in none of /run/programs, /opt/cni/bin";
            assert!(answer.message().contains(text), "{answer:?}");
        }
    };
    run_from_own_folder(&mut sandbox, "true");
    is_missed(&sandbox);

    sandbox.program = whole;
    sandbox.add("a");
    run_from_own_folder(&mut sandbox, "true");
    for pod in ["b", "c", "d", "e"] {
        assert!(sandbox.call("STATUS", pod).ok);
        sandbox.add(pod);
    }
    is_missed(&sandbox);
    sandbox.del("a");
}

#[test]
fn crashing_helper_is_named() {
    let mut sandbox = node();
    for (script, text) in [
        ("kill -9 $$", "flatland-claim was killed by signal 9"),
        (
            "echo no; exit 3",
            "flatland-claim failed with exit status 3",
        ),
    ] {
        let write = format!(
            "printf '#!/bin/sh\n%s\n' '{script}' > /run/programs/flatland-claim && \
             chmod +x /run/programs/flatland-claim"
        );
        run_from_own_folder(&mut sandbox, &write);
        let message = sandbox.call("ADD", "a").message();
        assert!(message.contains(text), "{message}");
    }
}

#[test]
fn errors_of_the_helper_are_those_of_the_plugin() {
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
fn helper_with_other_arguments_claims_nothing() {
    let sandbox = node();
    let claim = env!("CARGO_BIN_EXE_flatland-claim");
    let call = "CNI_CONTAINERID=a CNI_IFNAME=eth0 CNI_NETNS=/proc/self/ns/net";
    for (verb, arguments, text) in [
        ("ADD", "", "what to claim"),
        ("ADD", "1000 everything", "what to claim"),
        ("DEL", "1000 missing", "does nothing else"),
    ] {
        let script = format!(
            "printf '%s' '{}' | CNI_COMMAND={verb} {call} {claim} {arguments} || true
             test ! -e /var/lib/flatland",
            sandbox.config
        );
        let printed = sandbox.shell(&script);
        assert!(printed.contains(text), "{printed}");
    }
}
