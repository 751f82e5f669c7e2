//! A small Kubernetes API server for `kubectl apply`: discovery of kinds, and a store of objects,
//! which are only checked against the API's types. It has no defaults, admission or controllers.

use std::any::TypeId;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use k8s_openapi::api::admissionregistration::v1::{
    ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding,
};
use k8s_openapi::api::apps::v1::DaemonSet;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Service, ServiceAccount};
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding};
use k8s_openapi::{NamespaceResourceScope, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::manifests::flaw;

/// A kind of objects.
struct ObjectKind {
    group: &'static str,
    version: &'static str,
    name: &'static str,
    plural: &'static str,
    is_namespaced: bool,
    flaw: fn(&Value) -> Option<String>,
}

fn kind<T>() -> ObjectKind
where
    T: Resource + DeserializeOwned + Serialize,
    T::Scope: 'static,
{
    ObjectKind {
        group: T::GROUP,
        version: T::VERSION,
        name: T::KIND,
        plural: T::URL_PATH_SEGMENT,
        is_namespaced: TypeId::of::<T::Scope>() == TypeId::of::<NamespaceResourceScope>(),
        flaw: flaw::<T>,
    }
}

fn kinds() -> [ObjectKind; 9] {
    [
        kind::<Namespace>(),
        kind::<ServiceAccount>(),
        kind::<ConfigMap>(),
        kind::<Service>(),
        kind::<DaemonSet>(),
        kind::<ClusterRole>(),
        kind::<ClusterRoleBinding>(),
        kind::<ValidatingAdmissionPolicy>(),
        kind::<ValidatingAdmissionPolicyBinding>(),
    ]
}

/// Objects by the path at which each is read.
type Objects = BTreeMap<String, Value>;

/// A server that runs until the process ends.
pub(crate) struct Api {
    address: SocketAddr,
    objects: Arc<Mutex<Objects>>,
}

impl Api {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let objects = Arc::default();
        let shared = Arc::clone(&objects);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let objects = Arc::clone(&shared);
                // A client may go away at any time.
                thread::spawn(move || serve(&stream.unwrap(), &objects));
            }
        });
        Self { address, objects }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Creates a namespace, as an administrator would.
    pub(crate) fn make_namespace(&self, name: &str) {
        let object = json!({"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": name}});
        let mut objects = self.objects.lock().unwrap();
        assert_eq!(create("/api/v1/namespaces", object, &mut objects).0, 201);
    }

    /// The paths of all created objects.
    pub(crate) fn paths(&self) -> Vec<String> {
        self.objects.lock().unwrap().keys().cloned().collect()
    }
}

fn serve(stream: &TcpStream, objects: &Mutex<Objects>) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut length = 0;
    let mut header = String::new();
    while reader.read_line(&mut header)? > 2 {
        let (name, value) = header.split_once(':').unwrap_or_default();
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().unwrap();
        }
        header.clear();
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let mut words = line.split_whitespace();
    let (method, target) = (words.next().unwrap(), words.next().unwrap());
    let path = target.split('?').next().unwrap();
    let (status, answer) = answer(method, path, &body, &mut objects.lock().unwrap());
    let answer = answer.to_string();
    let head = format!(
        "HTTP/1.1 {status} -\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n",
        answer.len()
    );
    let mut writer = stream;
    writer.write_all((head + &answer).as_bytes())
}

fn answer(method: &str, path: &str, body: &[u8], objects: &mut Objects) -> (u16, Value) {
    match (method, discovery(path)) {
        ("GET", Some(found)) => (200, found),
        ("GET", None) => match objects.get(path) {
            Some(object) => (200, object.clone()),
            None => refused(404, "NotFound", path),
        },
        ("POST", _) => create(path, serde_json::from_slice(body).unwrap(), objects),
        _ => refused(405, "MethodNotAllowed", method),
    }
}

fn refused(code: u16, reason: &str, message: &str) -> (u16, Value) {
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure",
        "code": code, "reason": reason, "message": message,
    });
    (code, status)
}

fn root(kind: &ObjectKind) -> String {
    match kind.group {
        "" => format!("/api/{}", kind.version),
        group => format!("/apis/{group}/{}", kind.version),
    }
}

/// The discovery documents: the kinds and their paths.
fn discovery(path: &str) -> Option<Value> {
    let kinds = kinds();
    match path {
        "/api" => return Some(json!({"kind": "APIVersions", "versions": ["v1"]})),
        "/apis" => {
            let groups = kinds.iter().map(|kind| (kind.group, kind.version));
            let groups: BTreeSet<_> = groups.filter(|(group, _)| !group.is_empty()).collect();
            let groups = groups.into_iter().map(|(group, version)| {
                let version = json!({
                    "groupVersion": format!("{group}/{version}"),
                    "version": version,
                });
                json!({"name": group, "versions": [version], "preferredVersion": version})
            });
            let groups: Vec<_> = groups.collect();
            return Some(json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}));
        }
        _ => {}
    }
    let here: Vec<_> = kinds.iter().filter(|kind| root(kind) == path).collect();
    let resources: Vec<_> = here
        .iter()
        .map(|kind| {
            json!({
                "name": kind.plural, "singularName": "", "kind": kind.name,
                "namespaced": kind.is_namespaced, "verbs": ["create", "get", "list", "patch"],
            })
        })
        .collect();
    let group_version = path
        .trim_start_matches("/apis/")
        .trim_start_matches("/api/");
    (!here.is_empty()).then(|| {
        json!({
            "kind": "APIResourceList", "apiVersion": "v1",
            "groupVersion": group_version, "resources": resources,
        })
    })
}

fn create(folder: &str, object: Value, objects: &mut Objects) -> (u16, Value) {
    let kinds = kinds();
    let namespace = object["metadata"]["namespace"]
        .as_str()
        .unwrap_or("default");
    let place = |kind: &ObjectKind| {
        let namespace = if kind.is_namespaced {
            format!("/namespaces/{namespace}")
        } else {
            String::new()
        };
        format!("{}{namespace}/{}", root(kind), kind.plural)
    };
    let Some(kind) = kinds.iter().find(|kind| place(kind) == folder) else {
        return refused(404, "NotFound", folder);
    };
    if kind.is_namespaced && !objects.contains_key(&format!("/api/v1/namespaces/{namespace}")) {
        return refused(
            404,
            "NotFound",
            &format!("namespaces {namespace:?} not found"),
        );
    }
    if object["kind"] != kind.name {
        return refused(400, "BadRequest", "another kind than its path says");
    }
    if let Some(flaw) = (kind.flaw)(&object) {
        return refused(400, "BadRequest", &flaw);
    }
    let name = object["metadata"]["name"].as_str().unwrap();
    objects.insert(format!("{folder}/{name}"), object.clone());
    (201, object)
}
