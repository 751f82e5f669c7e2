//! What messages call this daemon.

use daemonkit::DaemonIdentity;

/// `routed`. There is one socket per node, as there is one daemon.
pub(crate) const ROUTED: DaemonIdentity = DaemonIdentity {
    name: "routed",
    socket: "/run/flatland/routed.sock",
    work: "routes",
    unaffected: "routes and pods",
};
