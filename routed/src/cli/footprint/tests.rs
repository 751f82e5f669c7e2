use super::*;

#[test]
fn files_for_etcd_are_ours_below_our_folder_only() {
    let etcd = |ca: &str, key: &str| EtcdConfig {
        endpoints: vec!["https://192.168.1.2:2379".into()],
        ca_file: Some(ca.into()),
        cert_file: None,
        key_file: Some(key.into()),
        prefix: "/flatland".into(),
    };
    let one = etcd(
        "/etc/flatland/etcd/ca.crt",
        "/etc/kubernetes/pki/etcd/client.key",
    );
    let two = etcd("/etc/flatland/mine.crt", "/etc/flatland-not/x.key");
    let (ours, others) = all_etcd_files([&one, &two].into_iter());
    let shown = |paths: Vec<PathBuf>| {
        let paths = paths.iter().map(|path| path.display().to_string());
        paths.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(
        shown(ours),
        "/etc/flatland/etcd/ca.crt /etc/flatland/etcd/client.crt /etc/flatland/etcd/client.key \
             /etc/flatland/mine.crt"
    );
    let expected = "/etc/flatland-not/x.key /etc/kubernetes/pki/etcd/client.key";
    assert_eq!(shown(others), expected);
}
