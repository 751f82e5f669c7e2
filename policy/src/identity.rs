//! What messages call this daemon, and its files.

use daemonkit::DaemonIdentity;

/// `flatland-policy`. There is one socket per node, as there is one daemon.
pub(crate) const FLATLAND_POLICY: DaemonIdentity = DaemonIdentity {
    name: "flatland-policy",
    socket: "/run/flatland/policy.sock",
    work: "the rules of pods",
    unaffected: "the rules of pods",
};
