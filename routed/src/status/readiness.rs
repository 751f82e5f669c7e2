//! Whether the node is ready for pods, and what is missing (`/readyz`).

/// The conditions of readiness.
#[derive(Debug, Clone, Copy)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "conditions that come true one by one, each with its own sentence"
)]
pub(super) struct Readiness<'a> {
    /// The whole registry was read since the daemon started.
    pub(super) registry_seen: bool,
    /// Why it is out of reach.
    pub(super) registry_failure: Option<&'a str>,
    /// The registry has this node's record and its claims.
    pub(super) has_joined: bool,
    /// Why not.
    pub(super) join_failure: Option<&'a str>,
    /// The node owns a subnet.
    pub(super) owns_subnet: bool,
    /// The node has an address by which peers reach it.
    pub(super) has_address: bool,
    /// The node forwards packets.
    pub(super) forwards: bool,
    /// The firewall rules for pods are in place.
    pub(super) firewall_ready: bool,
    /// How many desired routes are missing in the kernel or differ.
    pub(super) routes_missing: usize,
    /// An earlier daemon read the registry and has put the routes into the kernel since the boot.
    pub(super) seen_since_boot: bool,
    /// A network of the node that overlaps a pod CIDR.
    pub(super) overlap: Option<&'a str>,
    /// Why a container runtime does not find the conflist.
    pub(super) conflist_missing: Option<&'a str>,
}

impl Readiness<'_> {
    /// What is missing, as sentences. Once the conflist is in place, a lost etcd or a missing route
    /// to a peer does not make the node unready: its pods can be served. That is also so for a
    /// daemon that was started while etcd is lost.
    pub(super) fn missing(&self) -> Vec<String> {
        let mut missing = Vec::new();
        let mut lacks = |text: &str, why: Option<&str>| {
            missing.push(match why {
                Some(why) => format!("{text}: {why}"),
                None => text.to_owned(),
            });
        };
        let goes_on = self.conflist_missing.is_none() && self.seen_since_boot;
        let is_cut_off = !self.registry_seen || self.registry_failure.is_some();
        if let (false, Some(overlap)) = (goes_on, self.overlap) {
            lacks(overlap, None);
        }
        if goes_on && is_cut_off {
            // What an earlier daemon did is still there.
        } else if !self.registry_seen {
            lacks("the registry has not been read yet", self.registry_failure);
        } else if !self.has_joined {
            lacks(
                "this node has not joined the network yet",
                self.join_failure,
            );
        }
        if !self.owns_subnet {
            lacks("this node owns no subnet", None);
        }
        if !self.has_address {
            lacks("this node has no address by which peers reach it", None);
        }
        if self.owns_subnet && !self.forwards {
            lacks("this node does not forward packets", None);
        }
        if !self.firewall_ready {
            lacks("pods are not masqueraded yet", None);
        }
        if let Some(why) = self.conflist_missing {
            if missing.is_empty() && self.routes_missing > 0 {
                missing.push(format!(
                    "routes not in the kernel yet: {}",
                    self.routes_missing
                ));
            }
            missing.push(why.to_owned());
        }
        missing
    }
}

#[cfg(test)]
mod tests;
