//! containerd, with `ctr run --cni`.

use lab::containers::Containerd;
use lab::probe::PORT;
use lab::{Lab, Result};
use serde_json::json;

use crate::support::{PAUSE, SERVE, cluster, started, wait_back, wait_served};

#[test]
fn containerd_containers_reach_each_other_and_leave_nothing() -> Result {
    let lab = cluster(2)?;
    let [one, two] = [lab.node(1), lab.node(2)];
    let (on_one, on_two) = (Containerd::start(one)?, Containerd::start(two)?);
    let before = [one.attachment_state()?, two.attachment_state()?];
    let (a, b) = (on_one.run("a", &SERVE)?, on_two.run("b", &SERVE)?);
    let (of_a, of_b) = (a.addresses()?, b.addresses()?);
    assert_eq!((of_a.len(), of_b.len()), (2, 2));
    wait_served(&a, &of_b)?;
    wait_served(&b, &of_a)?;

    assert_eq!(a.place().seen_by(&of_b, PORT)?, of_a);
    assert_eq!(b.place().seen_by(&of_a, PORT)?, of_b);

    on_one.kill("a")?;
    a.wait_end()?;
    on_two.kill("b")?;
    b.wait_end()?;
    wait_back(one, &before[0])?;
    wait_back(two, &before[1])
}

#[test]
fn restarted_application_keeps_its_pods_address() -> Result {
    let lab = cluster(1)?;
    let node = lab.node(1);
    let containerd = Containerd::start(node)?;
    let before = node.attachment_state()?;
    let pause = containerd.run("pause", &PAUSE)?;
    let client = containerd.run("client", &PAUSE)?;
    let addresses = pause.addresses()?;
    let attached = node.attachment_state()?;

    for round in ["once", "again", "and again"] {
        let app = containerd.run_in(&pause, "app", &SERVE)?;
        wait_served(&client, &addresses).map_err(|error| error.doing(round))?;
        assert_eq!(app.addresses()?, addresses);
        containerd.kill("app")?;
        app.wait_end()?;
        assert_eq!(node.attachment_state()?, attached);
    }

    for (id, container) in [("client", client), ("pause", pause)] {
        containerd.kill(id)?;
        container.wait_end()?;
    }
    wait_back(node, &before)
}

#[test]
fn addresses_of_a_container_without_del_are_freed() -> Result {
    let lab = Lab::builder().start()?;
    let mut conflist = lab.shipped_conflist()?;
    conflist["plugins"][0]["ipam"]["sweepAfter"] = json!(1);
    let lab = started(lab, &conflist)?;
    let node = lab.node(1);
    let containerd = Containerd::start(node)?;
    let before = node.attachment_state()?;
    let a = containerd.run_detached("a", &PAUSE)?;
    assert_eq!(a.addresses()?.len(), 2);
    assert_ne!(node.attachment_state()?, before);

    containerd.kill("a")?;

    wait_back(node, &before)
}
