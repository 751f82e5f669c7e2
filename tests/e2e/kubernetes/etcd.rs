//! The shipped etcd manifests with their certificates, and an etcd that is shared with other users.

use std::fs;
use std::process::Command;

use lab::{Error, EtcdMember, Families, Lab, Node, Result};
use serde_json::json;

use crate::manifests::conf;

/// The folder of the certificates, on nodes as in the manifest.
const FOLDER: &str = "/etc/flatland/etcd";
const URL: &str = "https://192.168.1.2:2379";

/// Runs certificates.sh with `words`.
fn certificates(words: &[&str]) -> Result<std::process::Output> {
    let output = Command::new("sh")
        .arg(conf("kubernetes/etcd/certificates.sh"))
        .args(words)
        .output();
    output.map_err(|error| Error::new(error.to_string()))
}

/// Two nodes, and an etcd that requires a certificate of our authority.
fn raise() -> Result<Lab> {
    let folder = tempfile::tempdir().map_err(|error| Error::new(error.to_string()))?;
    let path = folder.path().to_str().unwrap();
    let made = certificates(&["--folder", path, "10.96.23.79", "192.168.1.2"])?;
    assert!(made.status.success(), "{made:?}");
    let mut lab = Lab::builder().nodes(2).families(Families::V4).start()?;
    let give = |machine: &lab::Machine, names: &[&str]| -> Result {
        machine.run(&["mkdir", "-p", FOLDER])?;
        for name in names {
            let content = fs::read(folder.path().join(name));
            let content = content.map_err(|error| Error::new(format!("{name}: {error}")))?;
            machine.write(format!("{FOLDER}/{name}"), content)?;
        }
        Ok(())
    };
    let mut conflist = lab.conflist();
    conflist["plugins"][0]["ipam"]["etcd"] = json!({
        "endpoints": [URL],
        "caFile": format!("{FOLDER}/ca.crt"),
        "certFile": format!("{FOLDER}/client.crt"),
        "keyFile": format!("{FOLDER}/client.key"),
    });
    for number in [1, 2] {
        lab.node_mut(number).set_conflist(&conflist)?;
        give(lab.node(number), &["ca.crt", "client.crt", "client.key"])?;
    }
    let etcd = &lab.etcd()[0];
    etcd.stop()?;
    give(
        etcd.machine(),
        &[
            "ca.crt",
            "server.crt",
            "server.key",
            "client.crt",
            "client.key",
        ],
    )?;
    etcd.start_with(&[
        &format!("--listen-client-urls={URL},http://127.0.0.1:2379"),
        &format!("--advertise-client-urls={URL}"),
        "--client-cert-auth",
        &format!("--trusted-ca-file={FOLDER}/ca.crt"),
        &format!("--cert-file={FOLDER}/server.crt"),
        &format!("--key-file={FOLDER}/server.key"),
    ])?;
    etcd.wait()?;
    Ok(lab)
}

/// Runs `etcdctl` with a certificate.
fn ctl(etcd: &EtcdMember, certificate: &str, words: &[&str]) -> Result<String> {
    let [ca, own, key] = [
        format!("--cacert={FOLDER}/ca.crt"),
        format!("--cert={FOLDER}/{certificate}.crt"),
        format!("--key={FOLDER}/{certificate}.key"),
    ];
    let endpoint = format!("--endpoints={URL}");
    etcd.ctl(&[&[&*ca, &*own, &*key, &*endpoint][..], words].concat())
}

/// The commands of docs/etcd.md that turn on authentication. The members' name is the user with the
/// root role.
fn switch_authentication_on(etcd: &EtcdMember) -> Result {
    for words in [
        "user add root --no-password",
        "user grant-role root root",
        "user add flatland-etcd-member --no-password",
        "user grant-role flatland-etcd-member root",
        "role add flatland",
        "role grant-permission flatland --prefix=true readwrite /flatland/",
        "user add flatland --no-password",
        "user grant-role flatland flatland",
        "auth enable",
    ] {
        let words: Vec<&str> = words.split(' ').collect();
        ctl(etcd, "server", &words)?;
    }
    Ok(())
}

#[test]
fn etcd_user_limited_to_the_prefix_is_sufficient() -> Result {
    let lab = raise()?;
    let etcd = &lab.etcd()[0];
    ctl(etcd, "server", &["put", "/registry/secrets/x", "secret"])?;
    switch_authentication_on(etcd)?;

    lab.start_routed()?;
    lab.wait_routes()?;
    let [one, two] = [lab.node(1), lab.node(2)];
    let (a, b) = (one.add_pod("a")?, two.add_pod("b")?);
    a.run(&["ping", "-c1", "-W5", &b.addresses()[0].to_string()])?;
    let subnets = |node: &Node| node.routed_command(&["subnets"])?.success();
    assert!(subnets(one)?.contains("n2"), "{}", subnets(one)?);

    let refused = |words: &[&str]| {
        let error = ctl(etcd, "client", words).expect_err("it is not allowed");
        assert!(error.to_string().contains("permission denied"), "{error}");
    };
    refused(&["get", "/registry/secrets/x"]);
    refused(&["put", "/registry/secrets/x", "other"]);
    refused(&["get", "--prefix", "/"]);
    assert!(ctl(etcd, "server", &["get", "/registry/secrets/x"])?.contains("secret"));
    Ok(())
}

#[test]
fn certificates_made_again_keep_the_authority() -> Result {
    let folder = tempfile::tempdir().map_err(|error| Error::new(error.to_string()))?;
    let path = folder.path().to_str().unwrap();
    let read = |name: &str| fs::read(folder.path().join(name)).unwrap();
    assert!(
        certificates(&["--folder", path, "10.96.23.79"])?
            .status
            .success()
    );
    let (authority, server) = (read("ca.crt"), read("server.crt"));
    assert!(
        certificates(&["--folder", path, "10.96.23.79", "fd00::1"])?
            .status
            .success()
    );
    assert_eq!(read("ca.crt"), authority);
    assert_ne!(read("server.crt"), server);

    for (words, complaint) in [
        (&["--folder", path][..], "name the addresses"),
        (&["--folder", path, "etcd.example.com"], "is no IP address"),
        (&["--fodler", path], "unknown flag --fodler"),
    ] {
        let refused = certificates(words)?;
        assert_eq!(refused.status.code(), Some(64));
        let printed = String::from_utf8_lossy(&refused.stderr);
        assert!(printed.contains(complaint), "{printed}");
    }
    Ok(())
}

#[test]
fn authority_is_kept_outside_of_the_working_directory() -> Result {
    let folder = tempfile::tempdir().map_err(|error| Error::new(error.to_string()))?;
    let work = folder.path().join("checkout");
    fs::create_dir(&work).unwrap();
    let run = |data: Option<&str>| {
        let mut command = Command::new("sh");
        let script = fs::canonicalize(conf("kubernetes/etcd/certificates.sh")).unwrap();
        command.arg(script).arg("10.96.23.79").current_dir(&work);
        command
            .env("HOME", folder.path())
            .env_remove("XDG_DATA_HOME");
        if let Some(data) = data {
            command.env("XDG_DATA_HOME", folder.path().join(data));
        }
        command.output().unwrap()
    };
    for (data, expected) in [(None, ".local/share"), (Some("data"), "data")] {
        let made = run(data);
        assert!(made.status.success(), "{made:?}");
        let kept = folder
            .path()
            .join(expected)
            .join("flatland/etcd-certificates");
        let permissions = |path: &std::path::Path| {
            std::os::unix::fs::PermissionsExt::mode(&fs::metadata(path).unwrap().permissions())
        };
        assert_eq!(permissions(&kept) & 0o777, 0o700);
        assert_eq!(permissions(&kept.join("ca.key")) & 0o777, 0o600);
    }
    assert_eq!(fs::read_dir(&work).unwrap().count(), 0);

    // The authority of an earlier version is not replaced by a new one.
    fs::create_dir(work.join("flatland-etcd-certificates")).unwrap();
    fs::write(work.join("flatland-etcd-certificates/ca.key"), "").unwrap();
    let refused = run(Some("other"));
    assert_eq!(refused.status.code(), Some(64));
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(said.contains("mv flatland-etcd-certificates"), "{said}");
    Ok(())
}
