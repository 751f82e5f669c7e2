//! A node of a large cluster: start, memory, and the cost of the status changes of others' pods.

use std::thread;
use std::time::{Duration, Instant};

use lab::policy::{PodObject, PolicyCluster};
use lab::{DEADLINE, Error, Result, wait_until};
use serde::{Deserialize, Serialize};

use super::load::{put_peer, spec};
use super::{NAMESPACE, PEERS};
use crate::figures::nanoseconds;
use crate::routed::process::Usage;

/// Status changes of pods a second, while it rests.
const CHANGES_PER_SECOND: u32 = 10;

/// The results.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct PolicySize {
    pub(crate) pods: u16,
    pub(crate) policies: u16,
    /// From exec until it is ready, in nanoseconds.
    pub(crate) start: u64,
    pub(crate) then: Usage,
    /// The time at rest and the processor time in it, in nanoseconds.
    pub(crate) rest: u64,
    pub(crate) cpu: u64,
    pub(crate) rested: Usage,
}

/// Starts `flatland-policy` among so many pods and policies, none of them of its node, and lets it
/// rest for some seconds.
pub(crate) fn measure(pods: u16, policies: u16, seconds: u32) -> Result<PolicySize> {
    let cluster = PolicyCluster::without_policy_program(1)?;
    cluster.namespace(NAMESPACE, &[])?;
    cluster.namespace(PEERS, &[("team", "a")])?;
    for number in 0..pods {
        put_peer(&cluster, PEERS, &format!("peer-{number}"), number, "peer")?;
    }
    for number in 0..policies {
        cluster.policy(NAMESPACE, &format!("policy-{number}"), &spec(number))?;
    }
    let node = cluster.node(1);
    let begin = Instant::now();
    node.spawn_policy()?;
    wait_until("policies of a large cluster", 6 * DEADLINE, || {
        node.policy_is_ready() || !node.policy_runs()
    })
    .map_err(|error| error.doing(node.policy_log()))?;
    let start = nanoseconds(begin.elapsed());
    let usage = || Usage::of(node.policy_pid()?).map_err(Error::new);
    let then = usage()?;
    let begin = Instant::now();
    for number in 0..seconds * CHANGES_PER_SECOND {
        let due = Duration::from_secs(1) / CHANGES_PER_SECOND * number;
        thread::sleep(due.saturating_sub(begin.elapsed()));
        let name = format!("new-{}", number / 2);
        let pod = PodObject::new(PEERS, &name, &[("app", "other")]);
        // A pod is scheduled, and later it runs.
        let object = if number % 2 == 0 {
            pod.scheduled("elsewhere")
        } else {
            pod.running("elsewhere", &[])
        };
        cluster.put(&object)?;
    }
    let rested = usage()?;
    Ok(PolicySize {
        pods,
        policies,
        start,
        then,
        rest: nanoseconds(begin.elapsed()),
        cpu: rested.cpu - then.cpu,
        rested,
    })
}
