use super::*;
use std::fs;

#[test]
fn node_name_is_an_rfc_1123_subdomain() {
    let long = format!("{}a", "a.".repeat(126));
    for name in ["n1", "node-1.example.com", "10", "a", &long] {
        assert_eq!(NodeName::new(name).unwrap().to_string(), name);
    }
    let too_long = format!("{long}.b");
    let refused = [
        "", "N1", "-a", "a-", "a..b", ".a", "a.", "a_b", "a/b", "a b", "\u{e4}",
    ];
    for name in refused.into_iter().chain([too_long.as_str()]) {
        let error = NodeName::new(name).unwrap_err();
        assert_eq!(error.code, code::INVALID_CONFIG, "{name}");
        assert!(error.msg.contains(&format!("{name:?}")), "{error}");
    }
}

#[test]
fn node_name_in_json_is_checked() {
    assert_eq!(
        serde_json::to_string(&NodeName::new("n1").unwrap()).unwrap(),
        "\"n1\""
    );
    assert!(serde_json::from_str::<NodeName>("\"n1\"").is_ok());
    let error = serde_json::from_str::<NodeName>("\"N 1\"").unwrap_err();
    assert!(error.to_string().contains("N 1"), "{error}");
}

#[test]
fn explicit_name_wins_and_host_name_is_lower_cased() {
    assert_eq!(node_name(Some("n1")).unwrap().as_str(), "n1");
    assert!(node_name(Some("")).is_err());
    assert_eq!(
        from_host("Worker-1.Local").unwrap().as_str(),
        "worker-1.local"
    );
    let error = from_host("my_host").unwrap_err();
    assert!(error.details.contains("NODE_NAME"), "{error}");
}

#[test]
fn machine_id_is_read_and_invalid_one_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("machine-id");
    let error = MachineId::read_from(&path).unwrap_err();
    assert_eq!(error.code, code::IO);
    assert!(error.msg.contains(path.to_str().unwrap()), "{error}");

    let id = "0123456789abcdef0123456789abcdef";
    fs::write(&path, format!("{}\n", id.to_uppercase())).unwrap();
    assert_eq!(MachineId::read_from(&path).unwrap().as_str(), id);

    for text in ["", "uninitialized\n", &"0".repeat(32), &id[1..]] {
        fs::write(&path, text).unwrap();
        assert_eq!(
            MachineId::read_from(&path).unwrap_err().code,
            code::INVALID_CONFIG
        );
    }
}
