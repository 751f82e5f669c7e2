use super::*;

fn allocation(container: &str, pod: Option<&str>) -> Allocation {
    let pod = pod.map_or(String::new(), |pod| {
        format!(r#","podNamespace":"shop","podName":"{pod}","podUid":"u-{pod}""#)
    });
    let text = format!(
        r#"{{"containerId":"{container}","interface":"eth0","subnet":"10.244.1.0/24","since":100{pod}}}"#
    );
    Allocation::parse(text.as_bytes()).unwrap()
}

fn added(address: &str, allocation: Allocation) -> AllocationChange {
    AllocationChange::Added(address.parse().unwrap(), allocation)
}

fn removed(address: &str, allocation: Allocation) -> AllocationChange {
    AllocationChange::Removed(address.parse().unwrap(), allocation)
}

fn words(event: Option<PolicyEvent>) -> String {
    match event {
        Some(PolicyEvent::LocalPodAdded(pod)) => {
            let uid = pod.uid.unwrap_or_default();
            let addresses: Vec<_> = pod.addresses.iter().map(IpAddr::to_string).collect();
            format!("{} {uid} {}", pod.name, addresses.join(" "))
        }
        Some(PolicyEvent::LocalPodRemoved(_)) => "removed".to_owned(),
        None => String::new(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn attachment_is_one_pod_whose_addresses_come_and_go_one_by_one() {
    let mut pods = AttachedPods::default();
    let web = || allocation("c1", Some("web"));
    let mut take = |change| words(pods.take("flatland", true, change));
    assert_eq!(
        take(added("10.244.1.2", web())),
        "shop/web u-web 10.244.1.2"
    );
    assert_eq!(
        take(added("fd00::2", web())),
        "shop/web u-web 10.244.1.2 fd00::2"
    );
    assert_eq!(take(removed("10.244.1.2", web())), "shop/web u-web fd00::2");
    assert_eq!(take(removed("fd00::2", web())), "removed");
    assert!(pods.0.is_empty());
}

#[test]
fn attachments_that_no_policy_can_select_are_told_apart() {
    let mut pods = AttachedPods::default();
    let stranger = pods.take(
        "flatland",
        true,
        added("10.244.1.3", allocation("c2", None)),
    );
    let other = pods.take(
        "storage",
        false,
        added("10.9.1.3", allocation("c1", Some("web"))),
    );
    assert_eq!(
        (words(stranger), words(other)),
        (String::new(), String::new())
    );
    assert_eq!(pods.unselectable().count(), 2);
}

#[test]
fn pod_is_not_older_than_the_machine_runs() {
    let mut pods = AttachedPods::default();
    let event = pods.take(
        "flatland",
        true,
        added("10.244.1.2", allocation("c1", Some("web"))),
    );
    let Some(PolicyEvent::LocalPodAdded(LedgerPod { id, .. })) = event else {
        panic!("{event:?}");
    };
    // The allocation is of second 100.
    for (unix_seconds, since_boot, expected) in [
        (100, 50, 0),
        (130, 50, 30),
        (1_000_000, 50, 50),
        (10, 50, 0),
    ] {
        let now = PodClock {
            unix_seconds,
            since_boot,
        };
        assert_eq!(pods.age(&id, now), Some(Duration::from_secs(expected)));
    }
}
