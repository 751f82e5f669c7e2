//! The lab itself: starting, isolation, and cleanup.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use lab::{DEADLINE, Lab, Result, wait_until};
use tempfile::TempDir;

/// A copy of `lab` that records its kept demo in its own folder. Dropping it ends the demo.
struct Demo {
    folder: TempDir,
}

impl Demo {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::copy(env!("CARGO_BIN_EXE_lab"), folder.path().join("lab")).expect("a copy of lab");
        Self { folder }
    }

    fn lab(&self, arguments: &[&str]) -> Output {
        let programs = Path::new(env!("CARGO_BIN_EXE_lab")).parent();
        Command::new(self.folder.path().join("lab"))
            .env("FLATLAND_BIN_DIR", programs.expect("a folder"))
            .args(arguments)
            .output()
            .expect("lab runs")
    }

    /// The output of `lab`, which must succeed.
    fn text(&self, arguments: &[&str]) -> String {
        let output = self.lab(arguments);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {text}{errors}");
        text
    }

    /// Runs a command line in a shell on a node.
    fn types(&self, node: &str, line: &str) -> String {
        self.text(&["enter", node, "--", "sh", "-c", line])
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        self.lab(&["demo", "--down"]);
    }
}

fn links_here() -> String {
    let output = Command::new("ip")
        .args(["-o", "link"])
        .output()
        .expect("ip runs");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn machines_reach_each_other_and_the_caller_sees_no_link() -> Result {
    let (links, mounts) = (
        links_here(),
        fs::read_to_string("/proc/self/mounts").unwrap(),
    );
    let lab = Lab::builder().nodes(2).etcd(0).start()?;

    for address in lab.node(2).addresses() {
        lab.node(1)
            .run(&["ping", "-c1", "-W2", &address.to_string()])?;
    }
    assert_eq!(lab.node(1).run(&["hostname"])?.trim(), "n1");
    lab.node(1).write("/run/only-here", "n1")?;
    assert!(!lab.node(2).path("/run/only-here").exists());
    assert!(!Path::new("/run/only-here").exists());
    assert_eq!(links_here(), links);
    assert_eq!(fs::read_to_string("/proc/self/mounts").unwrap(), mounts);
    Ok(())
}

#[test]
fn dropped_lab_leaves_no_process() -> Result {
    let lab = Lab::builder().nodes(1).etcd(1).start()?;
    let pids = [lab.pid(), lab.node(1).pid(), lab.etcd()[0].machine().pid()];
    drop(lab);

    for pid in pids {
        wait_until(format!("end of {pid}"), DEADLINE, || {
            !Path::new(&format!("/proc/{pid}")).exists()
        })?;
    }
    Ok(())
}

#[test]
fn panicking_test_ends_its_lab() -> Result {
    let (send, receive) = std::sync::mpsc::channel();
    let test = std::thread::spawn(move || {
        let lab = Lab::builder().nodes(1).etcd(0).start().unwrap();
        send.send(lab.node(1).pid()).unwrap();
        panic!("on purpose");
    });
    let pid = receive.recv().unwrap();

    assert!(test.join().is_err());
    wait_until(format!("end of {pid}"), DEADLINE, || {
        !Path::new(&format!("/proc/{pid}")).exists()
    })
}

#[test]
fn parallel_labs_with_equal_addresses_are_isolated() -> Result {
    let (one, two) = (
        Lab::builder().etcd(1).start()?,
        Lab::builder().etcd(1).start()?,
    );
    one.etcd()[0].ctl(&["put", "/x", "one"])?;

    assert_eq!(two.etcd()[0].keys("/x")?, Vec::<String>::new());
    assert_eq!(one.etcd()[0].keys("/x")?, ["/x"]);
    Ok(())
}

#[test]
fn stopped_etcd_keeps_its_data_and_two_of_three_suffice() -> Result {
    let lab = Lab::builder().nodes(0).etcd(3).start()?;
    lab.etcd()[0].ctl(&["put", "/x", "kept"])?;
    lab.etcd()[2].stop()?;

    assert_eq!(lab.etcd()[1].keys("/x")?, ["/x"]);
    lab.etcd()[2].start()?;
    lab.etcd()[2].wait()?;
    assert_eq!(lab.etcd()[2].keys("/x")?, ["/x"]);
    Ok(())
}

#[test]
fn demo_ends_with_queries_that_work_on_its_nodes() {
    let demo = Demo::new();
    let text = demo.text(&["demo", "--nodes=2", "--pods=1", "--families=dual", "--keep"]);
    let after = |start: &str| {
        let mut found = text.lines().filter_map(|line| line.split_once(start));
        found.next().expect(&text).1
    };
    for part in [
        "\n  n1# routed status\n  node n1 of network flatland: well",
        "\n  n1# routed explain n1/a 10.244.",
        "\n  nothing is broken, as far as this node can see\n",
        "/lab enter n1/a\n",
        "make demo-down\n",
    ] {
        assert!(text.contains(part), "{part:?} in {text}");
    }
    for line in text.lines().filter(|line| !line.contains("/lab enter ")) {
        assert!(line.chars().count() <= 100, "{line}");
    }

    assert!(demo.types("n1", "routed status").contains(": well"));
    let line = format!("routed explain {}", after("routed explain "));
    let explained = demo.types("n1", &line);
    assert!(explained.contains("is held by pod n1/a\n"), "{explained}");
    let back = demo.types("n2", after("run there: "));
    assert!(back.contains("is held by pod n2/a\n"), "{back}");
    let inside = demo.types("n1/a", "ip -o link; echo $PATH");
    assert!(inside.contains("eth0"), "{inside}");
    assert!(!inside.contains("/opt/flatland"), "{inside}");

    demo.text(&["demo", "--down"]);
    assert!(!demo.lab(&["enter", "n1", "--", "true"]).status.success());
}

#[test]
fn demo_of_one_pod_says_how_to_see_more() {
    let text = Demo::new().text(&["demo", "--nodes=1", "--pods=1", "--families=6"]);
    assert!(text.contains("node n1 of network flatland: well"), "{text}");
    assert!(!text.contains("routed explain"), "{text}");
    assert!(text.contains("make demo KEEP=1\n"), "{text}");
}
