//! CHECK of the spoof guard: `rp_filter` of the host end, or the nftables chain of `routed`, must
//! drop IPv4 packets from the pod with a source address of another.

/// The `rp_filter` settings and the nftables chain.
#[derive(Debug, Default)]
pub(crate) struct SpoofGuard {
    /// `net.ipv4.conf.all.rp_filter`, if it can be read.
    pub(crate) all: Option<u8>,
    /// The setting of the host end, which ADD makes strict (1).
    pub(crate) own: Option<u8>,
    /// Whether the nftables chain of `routed` is installed; looked up only if the settings do not
    /// suffice.
    pub(crate) is_filtered: bool,
}

impl SpoofGuard {
    /// The effective setting: the larger of the two. 0 is no filter, 1 strict, 2 loose
    /// (Documentation/networking/ip-sysctl.rst).
    fn effective(&self) -> u8 {
        self.all.max(self.own).unwrap_or_default()
    }

    /// Whether the settings suffice without the nftables chain.
    pub(crate) fn is_strict(&self) -> bool {
        self.effective() == 1
    }

    /// What is wrong, if anything.
    pub(crate) fn finding(&self, host_end: &str) -> Option<String> {
        let own = self.own.unwrap_or_default();
        if !self.is_strict() && !self.is_filtered {
            let effective = self.effective();
            let link = if effective > own { "all" } else { host_end };
            return Some(format!(
                "host interface {host_end} lets the pod send from any address: \
                 net.ipv4.conf.{link}.rp_filter is {effective}, and nftables table inet flatland, \
                 with which routed drops such packets, is missing"
            ));
        }
        (own != 1).then(|| format!("setting net.ipv4.conf.{host_end}.rp_filter is {own}, not 1"))
    }
}

/// The state after ADD on a node without `routed`.
#[cfg(test)]
pub(crate) const GUARDED: SpoofGuard = SpoofGuard {
    all: Some(0),
    own: Some(1),
    is_filtered: false,
};

#[cfg(test)]
mod tests;
