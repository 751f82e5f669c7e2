//! The lab itself: raised, isolated, gone without a trace.

use std::fs;
use std::path::Path;
use std::process::Command;

use lab::{DEADLINE, Lab, Result, wait_until};

fn links_here() -> String {
    let output = Command::new("ip")
        .args(["-o", "link"])
        .output()
        .expect("ip runs");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn machines_reach_each_other_over_the_switch_and_nothing_appears_here() -> Result {
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
fn a_lab_that_is_dropped_leaves_no_process() -> Result {
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
fn a_panic_takes_its_lab_with_it() -> Result {
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
fn two_labs_with_the_same_addresses_do_not_meet() -> Result {
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
fn an_etcd_that_is_stopped_keeps_its_data_and_one_of_three_may_be_missing() -> Result {
    let lab = Lab::builder().nodes(0).etcd(3).start()?;
    lab.etcd()[0].ctl(&["put", "/x", "kept"])?;
    lab.etcd()[2].stop()?;

    assert_eq!(lab.etcd()[1].keys("/x")?, ["/x"]);
    lab.etcd()[2].start()?;
    lab.etcd()[2].wait()?;
    assert_eq!(lab.etcd()[2].keys("/x")?, ["/x"]);
    Ok(())
}
