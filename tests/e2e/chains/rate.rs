//! bandwidth: a pod that sends and receives no faster than it may.

use std::time::Duration;

use lab::probe::{Direction, PORT};
use lab::{Place, Result};
use serde_json::json;

use crate::support::{Chained, cluster, plain};

/// What the pod may: bits a second, and bits at once.
const RATE: u64 = 8_000_000;
const BURST: u64 = 800_000;
const BYTES: u64 = 1_200_000;

/// The least that the transfer takes at that rate: what exceeds the burst has to wait.
const LEAST: Duration = Duration::from_millis((BYTES * 8 - BURST) * 1000 / RATE);

#[test]
fn a_pod_sends_and_receives_no_faster_than_it_may() -> Result {
    let lab = cluster(2)?;
    let [one, two] = [lab.node(1), lab.node(2)];
    Chained::add(one, "first", &plain())?.delete()?;
    let before = one.traces()?;
    let slow = Chained::add(
        one,
        "slow",
        &json!({ "bandwidth": {
            "ingressRate": RATE, "ingressBurst": BURST, "egressRate": RATE, "egressBurst": BURST,
        } }),
    )?;
    let quick = Chained::add(one, "quick", &plain())?;
    let client = Chained::add(two, "client", &plain())?;
    let from = Place::from(&client.pod);

    let measure =
        |pod: &Chained<'_>, direction| from.transfer(pod.addresses()[0], PORT, direction, BYTES);
    let _servers = [
        Place::from(&slow.pod).serve_transfers(PORT)?,
        Place::from(&quick.pod).serve_transfers(PORT)?,
    ];
    for direction in [Direction::Down, Direction::Up] {
        let (limited, free) = (measure(&slow, direction)?, measure(&quick, direction)?);
        // A tenth for the kernel's own idea of a second and of a packet's length.
        assert!(limited > LEAST * 9 / 10, "{direction}: {limited:?}");
        assert!(limited < LEAST * 8, "{direction}: {limited:?}");
        assert!(free < limited / 2, "{direction}: {free:?}, {limited:?}");
    }

    slow.check_first()?;
    slow.delete()?;
    quick.delete()?;
    assert_eq!(one.traces()?, before);
    Ok(())
}
