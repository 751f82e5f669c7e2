//! `kubectl apply` accepts the manifests: all kinds are known, namespaces come before their
//! objects, and a second apply changes nothing. The server only checks kinds and types (`api.rs`):
//! these tests do not show that a cluster runs the objects.

use std::process::Output;

use serde_json::Value;
use tempfile::TempDir;

use crate::api::Api;
use crate::manifests::{FILES, KUSTOMIZATIONS, conf, file, kind, program};

/// The flag of kubectl (`-f` or `-k`) and the path below `conf`.
fn manifests() -> impl Iterator<Item = [String; 2]> {
    let shown = |path: &str| conf(path).to_str().unwrap().to_owned();
    let files = FILES.map(|path| ["-f".to_owned(), shown(path)]);
    let folders = KUSTOMIZATIONS.map(|path| ["-k".to_owned(), shown(path)]);
    files.into_iter().chain(folders)
}

fn kubectl(api: &Api, arguments: &[&str]) -> Output {
    let home = TempDir::new().unwrap();
    program("kubectl")
        .args(["--server", &api.url()])
        .args(arguments)
        // kubectl would fetch the schemas of all kinds; the server checks its own types instead.
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
    let printed = String::from_utf8(output.stdout).unwrap();
    printed.lines().map(str::to_owned).collect()
}

#[test]
fn manifests_in_a_dry_run_are_accepted() {
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
fn manifests_applied_twice_are_created_then_unchanged() {
    for [flag, path] in manifests() {
        let api = Api::start();
        // That of an etcd is applied first, as the Secrets are in it.
        let for_etcd = ["/chained", "/dual-stack", "/ipv6"];
        if path.contains("etcd") || for_etcd.iter().any(|it| path.ends_with(it)) {
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

/// What `kubectl delete -f` deletes: the etcd's own manifests do not take along what holds data.
#[test]
fn manifests_for_an_etcd_hold_no_namespace_and_no_secret() {
    for path in ["kubernetes/flatland-etcd.yaml", "kubernetes/etcd.yaml"] {
        let kinds: Vec<_> = file(path).iter().map(|it| kind(it).to_owned()).collect();
        let is_data = |kind: &String| matches!(kind.as_str(), "Namespace" | "Secret");
        assert!(!kinds.iter().any(is_data), "{path}: {kinds:?}");
    }
    let etcd = kind_names("kubernetes/etcd.yaml");
    let flatland = kind_names("kubernetes/flatland-etcd.yaml");
    assert!(etcd.iter().all(|it| !flatland.contains(it)));
}

fn kind_names(path: &str) -> Vec<String> {
    let named = |object: &Value| format!("{} {}", kind(object), object["metadata"]["name"]);
    file(path).iter().map(named).collect()
}

#[test]
fn manifest_with_an_unknown_field_is_refused() {
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
