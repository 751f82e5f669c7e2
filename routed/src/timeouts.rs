//! The time-outs, intervals and retries of `routed`, by subject.

use std::time::Duration;

use registry::Backoff;

// Passes of the routes and of the firewall.

/// The least time from the end of one pass to the start of the next, so that many events cause few
/// passes.
pub(crate) const MIN_PASS_INTERVAL: Duration = Duration::from_millis(10);

/// After a pass over all routes, or one of the firewall, the next one waits this many times as long
/// as that pass took: many events cost at most a fifth of a CPU.
pub(crate) const PASS_COOLDOWN_FACTOR: u32 = 4;

/// The longest such wait after a pass over all routes, so that a missing route is soon noticed.
pub(crate) const MAX_PASS_COOLDOWN: Duration = Duration::from_millis(80);

/// Between attempts after a failed pass or a failed setup: the netlink socket, a setting, a file.
pub(crate) const PASS_RETRY_BACKOFF: Backoff = Backoff {
    first: Duration::from_millis(200),
    most: Duration::from_secs(10),
};

/// Between two full comparisons of everything, events or not. Up to half of it is jitter. The
/// kernel reports every change, and also when it lost reports; this is for unforeseen errors, and
/// with thousands of peers it is most of the work of an idle daemon.
pub(crate) const RESYNC_INTERVAL: Backoff = Backoff {
    first: Duration::from_secs(180),
    most: Duration::from_secs(180),
};

/// How long the daemon waits, when it stops, for etcd to delete this node's presence.
pub(crate) const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(3);

/// When pod CIDRs that follow from the Nodes of Kubernetes become wider, each node starts over after
/// a random part of this time. All nodes see the change at the same moment, and each then lists all
/// Nodes. New peers beyond the old pod CIDRs get their routes so much later at most.
pub(crate) const START_OVER_SPREAD: Duration = Duration::from_secs(10);

// Routes and next hops.

/// Between attempts to change a route that failed. Events (a link that comes up, a route that is
/// removed) cause an attempt at once; the backoff is for causes without an event.
pub(crate) const ROUTE_RETRY_BACKOFF: Backoff = Backoff {
    first: Duration::from_secs(1),
    most: Duration::from_secs(60),
};

/// In seconds. An address that was allocated at least this long ago has its route. ADD makes the
/// route, and would fail if it were there before. So does one with a time in the future: the clock
/// was set back since, and an ADD that is under way is recognised by its lock.
pub(crate) const ADD_GRACE_SECONDS: u64 = 10;

/// For at least this long a next hop that did not answer is avoided, so that routes do not flap.
pub(crate) const SILENT_HOP_AVOIDANCE_TIME: Duration = Duration::from_secs(30);

/// Between two questions to a next hop that did not answer. The kernel takes three seconds for one.
pub(crate) const SILENT_HOP_PROBE_INTERVAL: Duration = Duration::from_secs(5);

// Firewall.

/// How long to wait after a change of foreign chains before they are checked. A firewall that is
/// being reloaded drops everything for a moment.
pub(crate) const FOREIGN_CHAINS_SETTLE_TIME: Duration = Duration::from_secs(2);

/// How often a chain of iptables-legacy is checked that drops pods' packets without our rules.
pub(crate) const IPTABLES_LEGACY_DROPPING_CHECK_INTERVAL: Duration = Duration::from_millis(800);

/// How often it is checked whether there is such a chain.
pub(crate) const IPTABLES_LEGACY_CHECK_INTERVAL: Duration = Duration::from_secs(5);

/// When to try again after another program held the lock of iptables-legacy's tables.
pub(crate) const IPTABLES_LEGACY_BUSY_RETRY_DELAY: Duration = Duration::from_millis(100);

// Settings and files of the host.

/// How long addresses stay advertised after the node has lost its last address of their family.
pub(crate) const MISSING_FAMILY_GRACE_TIME: Duration = Duration::from_secs(60);

/// The least time between two looks at the container runtime's folders, however many events there
/// are.
pub(crate) const MIN_CNI_FOLDER_CHECK_INTERVAL: Duration = Duration::from_millis(100);

/// The longest time between two such looks. A file system that is mounted over a folder, and files
/// on some network file systems, cause no event.
pub(crate) const MAX_CNI_FOLDER_CHECK_INTERVAL: Duration = Duration::from_secs(10);

/// The pause after the conflist was put back for the first time. It doubles each time, so that
/// two programs do not fight over it.
pub(crate) const FIRST_CONFLIST_RESTORE_PAUSE: Duration = Duration::from_secs(1);

/// The longest such pause.
pub(crate) const MAX_CONFLIST_RESTORE_PAUSE: Duration = Duration::from_secs(60);

/// After this time without a change, the conflist counts as left alone.
pub(crate) const CONFLIST_RESTORE_MEMORY: Duration = Duration::from_secs(600);

/// In this time, a forwarding setting is put right only a few times
/// (`routed/src/host/forwarding.rs`). The error says "ten minutes".
pub(crate) const SYSCTL_REPAIR_PERIOD: Duration = Duration::from_secs(600);

// Addresses of pods.

/// The least pause between two checks of the node's pod addresses.
pub(crate) const MIN_ADDRESS_CHECK_INTERVAL: Duration = Duration::from_millis(100);

/// That pause is also at least this many times as long as the check before it, so that many pods
/// starting at once cost at most a tenth of a CPU.
pub(crate) const ADDRESS_CHECK_COOLDOWN_FACTOR: u32 = 10;

/// The longest time between two checks.
pub(crate) const MAX_ADDRESS_CHECK_INTERVAL: Duration = Duration::from_secs(30);

/// The time after a failed check: the folder watch may have failed with it.
pub(crate) const FAILED_ADDRESS_CHECK_INTERVAL: Duration = Duration::from_secs(5);

/// The shortest time between two sweeps.
pub(crate) const MIN_SWEEP_INTERVAL: Duration = Duration::from_millis(500);

/// The longest time between two sweeps.
pub(crate) const MAX_SWEEP_INTERVAL: Duration = Duration::from_secs(30);

/// Between attempts to claim a subnet. Not longer than half the time for which a recorded shortage
/// is valid (`registry::owned::shortage`).
pub(crate) const CLAIM_RETRY_BACKOFF: Backoff = Backoff {
    first: Duration::from_secs(1),
    most: Duration::from_secs(60),
};

// Membership.

/// Between attempts to join the network.
pub(crate) const JOIN_RETRY_BACKOFF: Backoff = Backoff {
    first: Duration::from_millis(500),
    most: Duration::from_secs(10),
};

/// Shorter absences are not logged: the `routed` of a node is restarted now and then, and those of
/// all nodes in an upgrade.
pub(crate) const ABSENCE_LOG_DELAY: Duration = Duration::from_secs(15);

/// The shortest time between two checks of absent nodes, whatever `forgetAfter` is.
pub(crate) const MIN_FORGET_CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// The longest time between two such checks, whatever `forgetAfter` is.
pub(crate) const MAX_FORGET_CHECK_INTERVAL: Duration = Duration::from_secs(300);

/// The longest time for which a node has to be observed absent without an interruption.
pub(crate) const MAX_OBSERVED_ABSENCE: Duration = Duration::from_secs(600);

// Doctor and explain.

/// How long one endpoint of etcd has to answer with its time.
pub(crate) const CLOCK_ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a next hop has to answer. The kernel sends three requests for a hardware address, a
/// second apart.
pub(crate) const NEXT_HOP_PROBE_TIMEOUT: Duration = Duration::from_secs(4);

/// The interval between reads of the neighbour table meanwhile.
pub(crate) const NEXT_HOP_POLL_INTERVAL: Duration = Duration::from_millis(50);

// Taking Flatland off a node.

/// Between two attempts of `routed uninstall --wait`.
pub(crate) const UNINSTALL_RETRY_INTERVAL: Duration = Duration::from_secs(5);

// What the Node object of Kubernetes says.

/// Between two looks at what the Node object of Kubernetes should say.
pub(crate) const NODE_REPORT_INTERVAL: Duration = Duration::from_secs(5);

/// Between attempts to write it.
pub(crate) const NODE_REPORT_RETRY_BACKOFF: Backoff = Backoff {
    first: Duration::from_secs(1),
    most: Duration::from_secs(60),
};

/// For how long a node that was ready must lack something before its Node says so, so that the
/// condition does not flap.
pub(crate) const NOT_READY_DELAY: Duration = Duration::from_secs(30);

/// For how long a trouble must last before there is an Event about it.
pub(crate) const EVENT_DELAY: Duration = Duration::from_secs(10);

/// The least time between two writes of an Event about the same trouble. The API server deletes
/// Events after an hour (`--event-ttl`).
pub(crate) const EVENT_REPEAT_INTERVAL: Duration = Duration::from_secs(3_000);
