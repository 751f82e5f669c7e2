//! Which host ends an ADD left that was cut short before it could say for whom it made them. Pure.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use wire::pod_link::is_unfinished;
use wire::netlink::Link;

/// Host ends without an alias, and since when they have been seen so.
#[derive(Debug, Default)]
pub(crate) struct Unfinished(BTreeMap<u32, Instant>);

impl Unfinished {
    /// Judges the node's `links` at `now`. Returns the indexes of those that have been unfinished
    /// for `grace`.
    pub(crate) fn judge(&mut self, links: &[Link], now: Instant, grace: Duration) -> Vec<u32> {
        let before = std::mem::take(&mut self.0);
        let links = links.iter().filter(|link| is_unfinished(link));
        self.0 = links
            .map(|link| (link.index, before.get(&link.index).copied().unwrap_or(now)))
            .collect();
        let left = self.0.iter().filter(|(_, since)| now - **since >= grace);
        left.map(|(index, _)| *index).collect()
    }

    /// Whether there are any.
    pub(crate) fn are_there(&self) -> bool {
        !self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use wire::cni::Attachment;
    use wire::pod_link::{host_interface, macs};

    use super::*;

    fn link(index: u32, alias: Option<&str>) -> Link {
        let attachment = Attachment::new("c1", "eth0").unwrap();
        Link {
            index,
            name: host_interface("flatland", &attachment),
            mac: Some(macs("flatland", &attachment).0),
            kind: Some("veth".to_owned()),
            alias: alias.map(str::to_owned),
            ..Link::default()
        }
    }

    #[test]
    fn a_host_end_counts_as_left_when_it_has_been_unfinished_for_the_whole_grace_period() {
        let bare = |index| link(index, None);
        let named = link(7, Some("flatland c1/eth0"));
        for (case, looks, expected) in [
            ("just seen", vec![(0, bare(7))], vec![]),
            ("not for long", vec![(0, bare(7)), (9, bare(7))], vec![]),
            ("for long", vec![(0, bare(7)), (10, bare(7))], vec![7]),
            ("another one", vec![(0, bare(7)), (10, bare(8))], vec![]),
            ("finished", vec![(0, bare(7)), (10, named.clone())], vec![]),
            (
                "it was finished in between",
                vec![(0, bare(7)), (5, named), (10, bare(7))],
                vec![],
            ),
        ] {
            let (mut unfinished, start) = (Unfinished::default(), Instant::now());
            let mut left = Vec::new();
            for (at, link) in looks {
                let now = start + Duration::from_secs(at);
                left = unfinished.judge(&[link], now, Duration::from_secs(10));
            }
            assert_eq!(left, expected, "{case}");
        }
    }
}
