//! Which attachments are gone although nobody called DEL. Pure.
//!
//! Their addresses are freed only when the namespace that ADD saw has been gone for a while: its
//! path leads nowhere or to another namespace, and the host end of the pod's interface, which
//! lives exactly as long as the namespace, is gone too. Where only the path is gone, something
//! keeps the namespace, and with it the pod's interface: that is said and left alone.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use ipam::Allocation;
use wire::netlink::Link;
use wire::pod_link::is_orphan;

/// What is left of the namespace of an attachment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Remains {
    /// It is there, or nobody can tell.
    Namespace,
    /// Nothing leads to it any more, but the pod's interface is there.
    Interface,
    /// Nothing.
    Nothing,
}

/// Attachments whose namespace is gone, and since when.
#[derive(Debug, Default)]
pub(crate) struct Suspects(BTreeMap<IpAddr, GoneAttachment>);

#[derive(Debug)]
struct GoneAttachment {
    allocation: Allocation,
    remains: Remains,
    since: Instant,
    is_reported: bool,
}

/// What to do about an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SweepAction {
    /// Free it.
    Free(IpAddr, Allocation),
    /// Tell people that something keeps its namespace.
    Tell(IpAddr, Allocation),
}

impl Suspects {
    /// Judges all that is held at `now`, of which `remains` tells what is left. Who is judged the
    /// same for `grace` long, without a look in between that says otherwise, gets a verdict.
    pub(crate) fn observe(
        &mut self,
        held: Vec<(IpAddr, Allocation)>,
        mut remains: impl FnMut(&Allocation) -> Remains,
        now: Instant,
        grace: Duration,
    ) -> Vec<SweepAction> {
        let mut before = std::mem::take(&mut self.0);
        let mut verdicts = Vec::new();
        for (address, allocation) in held {
            let remains = remains(&allocation);
            if remains == Remains::Namespace {
                continue;
            }
            let same = |it: &GoneAttachment| it.allocation == allocation && it.remains == remains;
            let mut suspect = before
                .remove(&address)
                .filter(same)
                .unwrap_or(GoneAttachment {
                    allocation,
                    remains,
                    since: now,
                    is_reported: false,
                });
            if now - suspect.since >= grace {
                verdicts.extend(suspect.verdict(address));
            }
            self.0.insert(address, suspect);
        }
        verdicts
    }

    /// Whether there are any.
    pub(crate) fn are_there(&self) -> bool {
        !self.0.is_empty()
    }
}

impl GoneAttachment {
    fn verdict(&mut self, address: IpAddr) -> Option<SweepAction> {
        if self.remains == Remains::Nothing {
            return Some(SweepAction::Free(address, self.allocation.clone()));
        }
        let is_news = !self.is_reported;
        self.is_reported = true;
        is_news.then(|| SweepAction::Tell(address, self.allocation.clone()))
    }
}

/// Host ends without an alias, and since when they have been seen so.
#[derive(Debug, Default)]
pub(crate) struct OrphanLinks(BTreeMap<u32, Instant>);

impl OrphanLinks {
    /// Judges the node's `links` at `now`. Returns the indexes of those that have been unfinished
    /// for `grace`.
    pub(crate) fn judge(&mut self, links: &[Link], now: Instant, grace: Duration) -> Vec<u32> {
        let before = std::mem::take(&mut self.0);
        let links = links.iter().filter(|link| is_orphan(link));
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
    use super::*;

    const GRACE: Duration = Duration::from_secs(60);

    fn held(container: &str) -> (IpAddr, Allocation) {
        let allocation = Allocation {
            container_id: container.to_owned(),
            interface: "eth0".to_owned(),
            subnet: "10.244.1.0/24".parse().unwrap(),
            since: 1_700_000_000,
            pod_namespace: None,
            pod_name: None,
            netns: Some(format!("/run/netns/{container}")),
            netns_inode: Some(4_026_532_000),
        };
        ("10.244.1.2".parse().unwrap(), allocation)
    }

    /// The verdicts of looks at these seconds that find this container and this left of it.
    fn looks(looks: &[(u64, &str, Remains)]) -> Vec<Vec<SweepAction>> {
        let (mut suspects, start) = (Suspects::default(), Instant::now());
        let look = |(at, container, remains): &(u64, &str, Remains)| {
            let now = start + Duration::from_secs(*at);
            suspects.observe(vec![held(container)], |_| *remains, now, GRACE)
        };
        looks.iter().map(look).collect()
    }

    #[test]
    fn an_attachment_is_freed_when_nothing_of_it_is_left_for_the_whole_grace_period() {
        use Remains::{Interface, Namespace, Nothing};
        let (address, a) = held("a");
        let free = vec![SweepAction::Free(address, a.clone())];
        let tell = vec![SweepAction::Tell(address, a)];
        let none = Vec::new;
        for (case, seen, expected) in [
            (
                "it is there",
                vec![(0, "a", Namespace), (999, "a", Namespace)],
                vec![none(), none()],
            ),
            (
                "gone for 60 s",
                vec![(0, "a", Nothing), (59, "a", Nothing), (60, "a", Nothing)],
                vec![none(), none(), free.clone()],
            ),
            (
                "it was there in between",
                vec![(0, "a", Nothing), (40, "a", Namespace), (70, "a", Nothing)],
                vec![none(), none(), none()],
            ),
            (
                "another has the address",
                vec![(0, "b", Nothing), (70, "a", Nothing)],
                vec![none(), none()],
            ),
            (
                "the interface is still there, which is said once",
                vec![
                    (0, "a", Interface),
                    (70, "a", Interface),
                    (140, "a", Interface),
                ],
                vec![none(), tell.clone(), none()],
            ),
            (
                "the interface goes later",
                vec![(0, "a", Interface), (70, "a", Nothing), (130, "a", Nothing)],
                vec![none(), none(), free.clone()],
            ),
            (
                "freeing it failed",
                vec![(0, "a", Nothing), (60, "a", Nothing), (70, "a", Nothing)],
                vec![none(), free.clone(), free],
            ),
        ] {
            assert_eq!(looks(&seen), expected, "{case}");
        }
    }

    #[test]
    fn without_a_grace_period_the_first_look_decides() {
        let mut suspects = Suspects::default();
        let nothing = |_: &Allocation| Remains::Nothing;
        let verdicts = suspects.observe(vec![held("a")], nothing, Instant::now(), Duration::ZERO);
        assert_eq!(verdicts.len(), 1);
        assert!(suspects.are_there());
        suspects.observe(Vec::new(), nothing, Instant::now(), Duration::ZERO);
        assert!(!suspects.are_there());
    }

    use wire::cni::Attachment;
    use wire::pod_link::{host_interface_name, mac_addresses};

    fn link(index: u32, alias: Option<&str>) -> Link {
        let attachment = Attachment::new("c1", "eth0").unwrap();
        Link {
            index,
            name: host_interface_name("flatland", &attachment),
            mac: Some(mac_addresses("flatland", &attachment).0),
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
            let (mut unfinished, start) = (OrphanLinks::default(), Instant::now());
            let mut left = Vec::new();
            for (at, link) in looks {
                let now = start + Duration::from_secs(at);
                left = unfinished.judge(&[link], now, Duration::from_secs(10));
            }
            assert_eq!(left, expected, "{case}");
        }
    }
}
