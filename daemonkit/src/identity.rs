//! What messages call a daemon and its work.

use wire::paths::POLICY_SOCKET;

/// A daemon of which one runs on each node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DaemonIdentity {
    /// The name of its program.
    pub name: &'static str,
    /// The path of the UNIX socket on which it answers commands.
    pub socket: &'static str,
    /// What it keeps in the kernel, as in "routes are kept anyway".
    pub work: &'static str,
    /// What does not change while it hangs, as in "routes and pods stay as they are".
    pub unaffected: &'static str,
}

/// `flatland-policy`, which `routed explain` asks too.
pub const FLATLAND_POLICY: DaemonIdentity = DaemonIdentity {
    name: "flatland-policy",
    socket: POLICY_SOCKET,
    work: "the rules of pods",
    unaffected: "the rules of pods",
};
