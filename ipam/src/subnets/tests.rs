use super::*;

use serde_json::{Value, json};

/// The subnets that a node has, by pool, if these are in its file.
fn pools(ipam: &Value, subnets: &[&str]) -> Vec<Vec<String>> {
    let folder = tempfile::tempdir().unwrap();
    let config = json!({ "cniVersion": "1.1.0", "name": "flatland", "ipam": ipam });
    let config = IpamConfig::parse(&config).unwrap();
    let node = NodeName::new("n1").unwrap();
    let owned = Owned {
        cluster: None,
        node: node.clone(),
        subnets: subnets.iter().map(|text| text.parse().unwrap()).collect(),
    };
    owned.store(folder.path()).unwrap();
    let subnets = Subnets {
        config: &config,
        node,
        folder: folder.path().to_owned(),
    };
    let texts = |pool: &Vec<IpNet>| pool.iter().map(ToString::to_string).collect();
    subnets.owned().unwrap().iter().map(texts).collect()
}

#[test]
fn subnets_of_kubernetes_count_although_the_conflist_is_older() {
    let ipam = json!({
        "type": "flatland-ipam", "kubernetes": {},
        "podCIDRs": ["10.244.0.0/23", "fd00::/79"],
    });
    for (owned, expected) in [
        (
            &["10.244.9.0/24", "fd00:9::/80"][..],
            vec![vec!["10.244.9.0/24"], vec!["fd00:9::/80"]],
        ),
        (
            &["fd00::/80", "10.244.0.0/24"],
            vec![vec!["fd00::/80"], vec!["10.244.0.0/24"]],
        ),
        (&["10.244.0.0/24"], vec![vec!["10.244.0.0/24"]]),
        (&[], vec![]),
    ] {
        assert_eq!(pools(&ipam, owned), expected, "{owned:?}");
    }
}

#[test]
fn subnets_of_etcd_count_only_inside_the_pod_cidrs() {
    let ipam = json!({
        "type": "flatland-ipam", "podCIDRs": ["10.244.0.0/16", "fd00::/64"],
    });
    let owned = &["10.244.9.0/24", "10.9.0.0/24"];
    let expected = vec![vec!["10.244.9.0/24".to_owned()], vec![]];
    assert_eq!(pools(&ipam, owned), expected);
}

#[test]
fn node_whose_subnets_were_taken_away_is_told_so() {
    let ipam = json!({ "type": "flatland-ipam", "kubernetes": {} });
    let config = json!({ "cniVersion": "1.1.0", "name": "flatland", "ipam": ipam });
    let config = IpamConfig::parse(&config).unwrap();
    for (owned, expected) in [
        (None, "have not been read since this boot"),
        (
            Some(("n1", vec!["10.244.1.0/24"])),
            "have not been read since this boot",
        ),
        (Some(("n9", vec![])), "have not been read since this boot"),
        (Some(("n1", vec![])), "has taken the podCIDRs of node n1"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        if let Some((node, subnets)) = &owned {
            let owned = Owned {
                cluster: Some(1),
                node: node.parse().unwrap(),
                subnets: subnets.iter().map(|text| text.parse().unwrap()).collect(),
            };
            owned.store(folder.path()).unwrap();
        }
        let subnets = Subnets {
            config: &config,
            node: NodeName::new("n1").unwrap(),
            folder: folder.path().to_owned(),
        };
        let error = subnets.unconfirmed();
        assert!(error.msg.contains(expected), "{owned:?}: {}", error.msg);
        assert_eq!(error.code, code::TRY_AGAIN);
    }
}
