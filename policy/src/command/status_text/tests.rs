use super::*;

fn collection(version: &str, is_installed: bool) -> CollectionStatus {
    CollectionStatus {
        resource_version: version.to_owned(),
        since: 100,
        is_installed,
    }
}

#[test]
fn status_shows_how_far_the_api_was_read() {
    let collections = [
        ("clusternetworkpolicies", collection("", false)),
        ("namespaces", collection("", true)),
        ("networkpolicies", collection("4711", true)),
    ];
    let collections = collections.map(|(name, it)| (name.to_owned(), it));
    let counts = |kind: &str| BTreeMap::from([(kind.to_owned(), 1)]);
    let mut status = EnforcementStatus {
        version: "0.0.1".to_owned(),
        pid: 7,
        missing: Vec::new(),
        troubles: vec!["pod shop/web is closed".to_owned()],
        pods: counts("open"),
        rules: counts("sets"),
        collections: collections.into(),
        counts: Vec::new(),
    };
    let expected = "\
flatland-policy 0.0.1, pid 7: not well
  pods   1 open
  rules  1 sets

read from the API server
  clusternetworkpolicies  not installed
  namespaces              not yet
  networkpolicies         up to resourceVersion 4711, 12 s ago

troubles
  - pod shop/web is closed";
    assert_eq!(render(&status, 112), expected);
    status.troubles.clear();
    status.collections.clear();
    let expected = "flatland-policy 0.0.1, pid 7: well\n  pods   1 open\n  rules  1 sets";
    assert_eq!(render(&status, 112), expected);
}
