use super::*;

fn args(etcd_files: Option<&str>) -> InstallArgs {
    InstallArgs {
        conflist: "/c".into(),
        from: None,
        cni_bin: "/opt/cni/bin".into(),
        etcd_files: etcd_files.map(Into::into),
        host: etcd_files.map(|_| "/host".into()),
        output: Format::Table,
    }
}

fn etcd() -> EtcdConfig {
    EtcdConfig {
        endpoints: vec!["https://192.168.1.2:2379".into()],
        ca_file: Some("/etc/flatland/etcd/ca.crt".into()),
        cert_file: Some("/etc/flatland/etcd/client.crt".into()),
        key_file: None,
        prefix: "/flatland".into(),
    }
}

#[test]
fn etcd_files_go_below_the_host_folder() {
    let found = etcd_files(&args(Some("/secret")), Some(&etcd()));
    let paths: Vec<_> = found
        .iter()
        .map(|file| (file.from.to_str().unwrap(), file.to.to_str().unwrap()))
        .collect();
    assert_eq!(
        paths,
        [
            ("/secret/ca.crt", "/host/etc/flatland/etcd/ca.crt"),
            ("/secret/client.crt", "/host/etc/flatland/etcd/client.crt"),
        ]
    );
    assert!(found.iter().all(|file| file.mode == 0o600));
}

#[test]
fn etcd_files_are_copied_only_if_given_and_configured() {
    assert_eq!(etcd_files(&args(None), Some(&etcd())), []);
    assert_eq!(etcd_files(&args(Some("/secret")), None), []);
}
