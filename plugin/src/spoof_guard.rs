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
mod tests {
    use super::*;

    #[test]
    fn larger_rp_filter_counts_and_nftables_chain_suffices() {
        let any = "host interface flat1 lets the pod send from any address: net.ipv4.conf.";
        let changed = "setting net.ipv4.conf.flat1.rp_filter is ";
        for (all, own, unfiltered, filtered) in [
            (0, 1, None, None),
            (1, 1, None, None),
            (2, 1, Some((any, "all.rp_filter is 2,")), None),
            (0, 0, Some((any, "flat1.rp_filter is 0,")), Some("0, not 1")),
            (1, 0, Some((changed, "0, not 1")), Some("0, not 1")),
            (0, 2, Some((any, "flat1.rp_filter is 2,")), Some("2, not 1")),
            (2, 2, Some((any, "flat1.rp_filter is 2,")), Some("2, not 1")),
        ] {
            let guard = |is_filtered| SpoofGuard {
                all: Some(all),
                own: Some(own),
                is_filtered,
            };
            let expected = unfiltered.map(|(start, end)| format!("{start}{end}"));
            let found = guard(false).finding("flat1");
            let found = found.map(|text| text.split(" and").next().unwrap_or_default().to_owned());
            assert_eq!(found, expected, "{all} {own}");
            let expected = filtered.map(|end| format!("{changed}{end}"));
            assert_eq!(guard(true).finding("flat1"), expected, "{all} {own}");
        }
    }

    #[test]
    fn unreadable_settings_are_a_finding() {
        assert!(SpoofGuard::default().finding("flat1").is_some());
    }
}
