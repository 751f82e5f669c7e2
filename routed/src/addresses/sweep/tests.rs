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
        pod_uid: None,
        netns: Some(format!("/run/netns/{container}")),
        netns_inode: Some(4_026_532_000),
    };
    ("10.244.1.2".parse().unwrap(), allocation)
}

/// The actions after observations at these seconds, of this container and what remains of it.
fn actions(observations: &[(u64, &str, Remains)]) -> Vec<Vec<SweepAction>> {
    let (mut suspects, start) = (Suspects::default(), Instant::now());
    let observe = |(at, container, remains): &(u64, &str, Remains)| {
        let now = start + Duration::from_secs(*at);
        suspects.observe(vec![held(container)], |_| *remains, now, GRACE)
    };
    observations.iter().map(observe).collect()
}

#[test]
fn address_is_freed_if_nothing_remains_for_the_grace_period() {
    use Remains::{Interface, Namespace, Nothing};
    let (address, a) = held("a");
    let free = vec![SweepAction::Free(address, a.clone())];
    let warn = vec![SweepAction::Warn(address, a)];
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
            "the interface is still there, which is logged once",
            vec![
                (0, "a", Interface),
                (70, "a", Interface),
                (140, "a", Interface),
            ],
            vec![none(), warn.clone(), none()],
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
        assert_eq!(actions(&seen), expected, "{case}");
    }
}

#[test]
fn first_observation_decides_without_a_grace_period() {
    let mut suspects = Suspects::default();
    let nothing = |_: &Allocation| Remains::Nothing;
    let actions = suspects.observe(vec![held("a")], nothing, Instant::now(), Duration::ZERO);
    assert_eq!(actions.len(), 1);
    assert!(suspects.any());
    suspects.observe(Vec::new(), nothing, Instant::now(), Duration::ZERO);
    assert!(!suspects.any());
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
fn host_end_is_orphan_if_unfinished_for_the_grace_period() {
    let bare = |index| link(index, None);
    let named = link(7, Some("flatland c1/eth0"));
    for (case, observations, expected) in [
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
        let (mut orphans, start) = (OrphanLinks::default(), Instant::now());
        let mut overdue = Vec::new();
        for (at, link) in observations {
            let now = start + Duration::from_secs(at);
            overdue = orphans.observe(&[link], now, Duration::from_secs(10));
        }
        assert_eq!(overdue, expected, "{case}");
    }
}
