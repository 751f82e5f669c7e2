//! What messages call a daemon and its work.

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
