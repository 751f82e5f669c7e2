//! `kubectl apply` takes the manifests: all kinds are known, namespaces come before what is in them,
//! and applying a second time changes nothing. The server knows kinds and types and no more
//! (`api.rs`): that a cluster runs what it is given is not shown here.

use std::process::{Command, Output};

use tempfile::TempDir;

use crate::api::Api;
use crate::manifests::{KUSTOMIZATIONS, conf};

/// Of the two ways to apply, the one for each path below `conf`.
fn manifests() -> impl Iterator<Item = [String; 2]> {
    let shown = |path: &str| conf(path).to_str().unwrap().to_owned();
    let files = ["kubernetes/flatland.yaml", "kubernetes/etcd.yaml"];
    let files = files.map(|path| ["-f".to_owned(), shown(path)]);
    let folders = KUSTOMIZATIONS.map(|path| ["-k".to_owned(), shown(path)]);
    files.into_iter().chain(folders)
}

fn kubectl(api: &Api, arguments: &[&str]) -> Output {
    let home = TempDir::new().unwrap();
    Command::new("kubectl")
        .args(["--server", &api.url()])
        .args(arguments)
        // It asks for a schema of all kinds; the server looks at its own types instead.
        .arg("--validate=false")
        .env("HOME", home.path())
        .env("KUBECONFIG", home.path().join("none"))
        .output()
        .expect("kubectl is here: run `make setup`")
}

/// The lines that kubectl prints, one for each object.
fn lines(api: &Api, arguments: &[&str]) -> Vec<String> {
    let output = kubectl(api, arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {errors}");
    let said = String::from_utf8(output.stdout).unwrap();
    said.lines().map(str::to_owned).collect()
}

#[test]
fn kubectl_would_apply_every_manifest() {
    let api = Api::start();
    for [flag, path] in manifests() {
        let lines = lines(&api, &["apply", "--dry-run=client", &flag, &path]);
        assert!(!lines.is_empty(), "{path}");
        for line in lines {
            assert!(line.ends_with(" created (dry run)"), "{path}: {line}");
        }
    }
    assert_eq!(api.paths(), [""; 0]);
}

#[test]
fn every_manifest_is_made_as_it_is_and_a_second_time_changes_nothing() {
    for [flag, path] in manifests() {
        let api = Api::start();
        // etcd comes into the namespace in which certificates.sh has put its certificates.
        if path.contains("/etcd") {
            api.make_namespace("flatland");
        }
        let before = api.paths().len();
        let made = lines(&api, &["apply", &flag, &path]);
        let is_made = |line: &String| line.ends_with(" created");
        assert!(made.iter().all(is_made), "{path}: {made:?}");
        assert_eq!(api.paths().len(), before + made.len(), "{path}");
        let again = lines(&api, &["apply", &flag, &path]);
        assert_eq!(again.len(), made.len(), "{path}");
        let is_unchanged = |line: &String| line.ends_with(" unchanged");
        assert!(again.iter().all(is_unchanged), "{path}: {again:?}");
    }
}

#[test]
fn what_the_api_does_not_know_is_refused() {
    let api = Api::start();
    let folder = TempDir::new().unwrap();
    let wrong = folder.path().join("wrong.yaml");
    let manifest = std::fs::read_to_string(conf("kubernetes/flatland.yaml")).unwrap();
    std::fs::write(&wrong, manifest.replace("hostNetwork:", "hostNetwork_:")).unwrap();
    let output = kubectl(&api, &["apply", "-f", wrong.to_str().unwrap()]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && errors.contains("hostNetwork_"),
        "{errors}"
    );
}
