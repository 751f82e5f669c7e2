use super::*;

fn network(length: u8) -> Network {
    Network {
        pod_cidrs: vec!["10.244.0.0/16".parse().unwrap()],
        subnet_lengths: vec![length],
    }
}

fn record(machine: &str, address: &str) -> NodeRecord {
    NodeRecord {
        addresses: vec![address.parse().unwrap()],
        machine_id: machine.to_owned(),
        session: None,
    }
}

fn node(name: &str) -> NodeName {
    name.parse().unwrap()
}

/// Errors about etcd, each with its code and required parts of its text.
fn of_etcd() -> Vec<(Error, u32, Vec<&'static str>)> {
    let refused = |denied| Error::Refused {
        endpoint: "https://10.0.0.1:2379".to_owned(),
        why: "etcdserver: permission denied".to_owned(),
        denied,
    };
    let unreachable = Error::Unreachable {
        endpoints: vec!["https://10.0.0.1:2379".to_owned()],
        within: Duration::from_secs(5),
        why: "connection refused".to_owned(),
    };
    let text = "etcd at https://10.0.0.1:2379 did not answer within 5 s: connection refused; ";
    let config = Error::Config {
        what: "/etc/etcd/ca.pem".to_owned(),
        why: "no such file".to_owned(),
    };
    let corrupt = Error::Corrupt {
        key: "/flatland/blue/config".to_owned(),
        why: "it is empty".to_owned(),
    };
    vec![
        (unreachable, 11, vec![text]),
        (
            refused(false),
            11,
            vec!["https://10.0.0.1:2379", "permission denied"],
        ),
        (
            refused(true),
            7,
            vec!["https://10.0.0.1:2379", "permission denied"],
        ),
        (config, 7, vec!["/etc/etcd/ca.pem", "no such file"]),
        (corrupt, 6, vec!["/flatland/blue/config", "it is empty"]),
    ]
}

/// Errors about claims and names.
fn of_claims() -> Vec<(Error, u32, Vec<&'static str>)> {
    let subnet: IpNet = "10.244.3.0/24".parse().unwrap();
    let mismatch = Error::Mismatch {
        ours: network(24),
        theirs: Box::new(network(25)),
        key: "/flatland/blue/config".to_owned(),
    };
    let exhausted = Error::Exhausted {
        pod_cidr: "10.244.0.0/16".parse().unwrap(),
        total: 256,
        excluded: 0,
        by_node: (0..8).map(|n| (node(&format!("n{n}")), 9 - n)).collect(),
    };
    let used_up = vec![
        "all 256 subnets",
        "10.244.0.0/16",
        "9 by n0, 8 by n1",
        "9 by 3 other",
    ];
    let contended = Error::Contended {
        node: node("node-1"),
        attempts: 50,
    };
    let taken = Error::NodeTaken {
        node: node("node-1"),
        ours: record("m-1", "192.168.1.1"),
        theirs: Box::new(record("m-2", "192.168.1.2")),
    };
    let not_owned = |owner: Option<&str>| Error::NotOwned {
        subnet,
        node: node("node-1"),
        owner: owner.map(node),
    };
    vec![
        (
            mismatch,
            102,
            vec![
                "10.244.0.0/16 in subnets of /24",
                "/25",
                "/flatland/blue/config",
            ],
        ),
        (exhausted, 101, used_up),
        (contended, 11, vec!["node-1", "50 times"]),
        (
            taken,
            103,
            vec!["node-1", "m-1", "192.168.1.1", "m-2", "192.168.1.2"],
        ),
        (
            not_owned(Some("node-2")),
            7,
            vec!["10.244.3.0/24", "node-1", "node-2"],
        ),
        (not_owned(None), 7, vec!["10.244.3.0/24", "node-1"]),
    ]
}

/// Errors about files.
fn of_files() -> Vec<(Error, u32, Vec<&'static str>)> {
    let path = PathBuf::from("/var/lib/flatland/blue/subnets.json");
    let busy = Error::Busy {
        path: path.clone(),
        within: Duration::from_millis(2500),
    };
    let full = Error::io("write", &path)(io::Error::from_raw_os_error(28));
    let corrupt = Error::CorruptFile {
        path,
        why: "it is empty".to_owned(),
    };
    let file = "/var/lib/flatland/blue/subnets.json";
    vec![
        (busy, 11, vec![file, "2.5 s"]),
        (corrupt, 6, vec![file, "it is empty"]),
        (full, 5, vec!["cannot write", file, "No space left"]),
    ]
}

#[test]
fn every_error_names_culprit_and_cure_and_has_its_code() {
    for (error, code, parts) in [of_etcd(), of_claims(), of_files()].into_iter().flatten() {
        let text = error.to_string();
        for part in parts {
            assert!(text.contains(part), "{text}");
        }
        assert_eq!(error.code(), code, "{text}");
        let (message, advice) = (error.message(), error.advice());
        assert_eq!(text, format!("{message}; {advice}"));
        let shown = cni::Error::from(error);
        let expected = (code, message.as_str(), advice);
        assert_eq!(
            (shown.code, shown.msg.as_str(), shown.details.as_str()),
            expected
        );
    }
}
