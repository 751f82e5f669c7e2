//! What keeps a pod from sending IPv4 packets under addresses of others.

/// The settings of the host end, and the packet filter.
#[derive(Debug, Default)]
pub(crate) struct SpoofGuard {
    /// `net.ipv4.conf.all.rp_filter`, if it can be read.
    pub(crate) all: Option<u8>,
    /// The host end's own, which ADD makes strict (1).
    pub(crate) own: Option<u8>,
    /// Whether `routed`'s guard is in the packet filter, where the settings do not guard.
    pub(crate) is_filtered: bool,
}

impl SpoofGuard {
    /// The setting in force: the kernel takes the larger of the two. 0 is no filter, 1 a strict one, 2
    /// a loose one (Documentation/networking/ip-sysctl.rst).
    fn in_force(&self) -> u8 {
        self.all.max(self.own).unwrap_or_default()
    }

    /// Whether the settings guard, and do it alone.
    pub(crate) fn is_strict(&self) -> bool {
        self.in_force() == 1
    }

    /// What is wrong with it, if anything is.
    pub(crate) fn finding(&self, host_end: &str) -> Option<String> {
        let own = self.own.unwrap_or_default();
        if !self.is_strict() && !self.is_filtered {
            let in_force = self.in_force();
            let link = if in_force > own { "all" } else { host_end };
            return Some(format!(
                "host interface {host_end} lets the pod send from any address: \
                 net.ipv4.conf.{link}.rp_filter is {in_force}, and table inet flatland, by which \
                 routed would keep it from that, is not there"
            ));
        }
        (own != 1).then(|| format!("setting net.ipv4.conf.{host_end}.rp_filter is {own}, not 1"))
    }
}

/// As ADD leaves it on a node without `routed`.
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
    fn the_larger_setting_counts_and_the_packet_filter_makes_up_for_it() {
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
    fn what_cannot_be_read_guards_nothing() {
        assert!(SpoofGuard::default().finding("flat1").is_some());
    }
}
