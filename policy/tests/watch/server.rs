//! The API server of a test, its objects, and the client's account.

use std::path::Path;
use std::process::Command;
use std::thread;

use k8s_openapi::api::rbac::v1::PolicyRule;
use kubernetes::{ApiClient, ServiceAccount};
use lab::apiserver::ApiServer;
use nix::sched::{CloneFlags, unshare};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Builder;
use wire::netns::Netns;

const USER: &str = "system:serviceaccount:flatland:flatland-policy";
const TOKEN: &str = "secret";

/// A server in a network namespace of its own.
pub(crate) struct Server {
    pub(crate) api: ApiServer,
    account: TempDir,
}

impl Server {
    /// A server that allows everything.
    pub(crate) fn new() -> Self {
        let all = json!({ "apiGroups": ["*"], "resources": ["*"], "verbs": ["*"] });
        Self::with_rules(&[all])
    }

    /// A server that allows what these rules of a `ClusterRole` say.
    pub(crate) fn with_rules(rules: &[Value]) -> Self {
        let api = ApiServer::start(netns(), "127.0.0.1:0".parse().unwrap()).unwrap();
        let account = tempfile::tempdir().unwrap();
        std::fs::write(account.path().join("token"), TOKEN).unwrap();
        std::fs::write(account.path().join("ca.crt"), api.ca().unwrap()).unwrap();
        let rule = |rule: &Value| serde_json::from_value(rule.clone()).unwrap();
        let rules: Vec<PolicyRule> = rules.iter().map(rule).collect();
        api.grant(USER, None, &rules);
        api.add_token(TOKEN, USER);
        Self { api, account }
    }

    /// Runs a test in the server's network namespace.
    pub(crate) fn run(self, test: impl AsyncFnOnce(&Self) + Send) {
        let inside = || {
            let runtime = Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(test(&self));
        };
        self.api.netns().run(inside).unwrap();
    }

    pub(crate) fn client(&self) -> ApiClient {
        let account = ServiceAccount::new(self.account.path());
        ApiClient::new(self.api.address().to_string(), account)
    }

    pub(crate) fn put(&self, object: &Value) {
        self.api.put(object).unwrap();
    }

    /// The paths of the requests so far with this verb and resource.
    pub(crate) fn uris(&self, verb: &str, resource: &str) -> Vec<String> {
        let records = self.api.records().into_iter();
        let is_it = records.filter(|it| it.verb == verb && it.resource == resource);
        is_it.map(|it| it.uri).collect()
    }
}

/// A new network namespace with loopback up.
fn netns() -> Netns {
    let make = || {
        unshare(CloneFlags::CLONE_NEWNET).expect("tests need root, or `unshare -Urn` around them");
        let up = Command::new("ip")
            .args(["link", "set", "lo", "up"])
            .status();
        assert!(up.unwrap().success());
        Netns::open(Path::new("/proc/thread-self/ns/net")).unwrap()
    };
    thread::spawn(make).join().unwrap()
}

pub(crate) fn namespace(name: &str) -> Value {
    json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name } })
}

pub(crate) fn pod(namespace: &str, name: &str, address: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": { "namespace": namespace, "name": name, "labels": { "app": name } },
        "spec": { "nodeName": "n1", "containers": [{ "name": "c", "image": "i" }] },
        "status": { "phase": "Running", "podIPs": [{ "ip": address }] },
    })
}

pub(crate) fn network_policy(namespace: &str, name: &str) -> Value {
    json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": { "namespace": namespace, "name": name },
        "spec": { "podSelector": {}, "policyTypes": ["Ingress"] },
    })
}

pub(crate) fn cluster_policy(name: &str) -> Value {
    json!({
        "apiVersion": "policy.networking.k8s.io/v1alpha2", "kind": "ClusterNetworkPolicy",
        "metadata": { "name": name },
        "spec": { "tier": "Admin", "priority": 10, "subject": { "namespaces": {} } },
    })
}
