//! The bandwidth plugin: limits on what a pod sends and receives.

use std::time::Duration;

use lab::probe::{PORT, TransferDirection};
use lab::{Place, Result};
use serde_json::json;

use crate::support::{Chained, cluster, no_runtime_config};

/// The pod's limits: bits per second, and burst in bits.
const RATE: u64 = 8_000_000;
const BURST: u64 = 800_000;
const BYTES: u64 = 1_200_000;

/// The least duration of the transfer at that rate: everything beyond the burst must wait.
const MIN_DURATION: Duration = Duration::from_millis((BYTES * 8 - BURST) * 1000 / RATE);

#[test]
fn pod_with_bandwidth_limits_is_limited_both_ways() -> Result {
    let lab = cluster(2)?;
    let [one, two] = [lab.node(1), lab.node(2)];
    Chained::add(one, "first", &no_runtime_config())?.delete()?;
    let before = one.attachment_state()?;
    let slow = Chained::add(
        one,
        "slow",
        &json!({ "bandwidth": {
            "ingressRate": RATE, "ingressBurst": BURST, "egressRate": RATE, "egressBurst": BURST,
        } }),
    )?;
    let quick = Chained::add(one, "quick", &no_runtime_config())?;
    let client = Chained::add(two, "client", &no_runtime_config())?;
    let from = Place::from(&client.pod);

    let measure =
        |pod: &Chained<'_>, direction| from.transfer(pod.addresses()[0], PORT, direction, BYTES);
    let _servers = [
        Place::from(&slow.pod).serve_transfers(PORT)?,
        Place::from(&quick.pod).serve_transfers(PORT)?,
    ];
    for direction in [TransferDirection::Down, TransferDirection::Up] {
        let (limited, free) = (measure(&slow, direction)?, measure(&quick, direction)?);
        // A tenth less, for the kernel's rounding of time and packet lengths.
        assert!(limited > MIN_DURATION * 9 / 10, "{direction}: {limited:?}");
        assert!(limited < MIN_DURATION * 8, "{direction}: {limited:?}");
        assert!(free < limited / 2, "{direction}: {free:?}, {limited:?}");
    }

    slow.check_first()?;
    slow.delete()?;
    quick.delete()?;
    assert_eq!(one.attachment_state()?, before);
    Ok(())
}
