//! The objects, their versions, and the changes that watches and pages need.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::time::UNIX_EPOCH;

use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

use super::object::{Identity, Object};
use super::pages::{List, Page, Snapshots};
use super::request::{Request, StatusError};
use super::resource::{Key, Resource};

/// Older changes are dropped above this many bytes, as the watch cache of a real server does.
const MAX_HISTORY: usize = 256 << 20;

/// A change.
#[derive(Debug, Clone)]
struct Change {
    version: u64,
    key: Key,
    before: Option<Object>,
    /// The object, or what it was when it was deleted.
    after: Object,
    deleted: bool,
}

/// The objects of a cluster, at one resourceVersion.
#[derive(Clone)]
pub(super) struct Store {
    version: u64,
    /// A watch cannot start from a version below this, and pages of lists below it are gone.
    compacted: u64,
    objects: BTreeMap<Key, Object>,
    history: VecDeque<Change>,
    history_bytes: usize,
    /// The newest change that was dropped from the history.
    dropped: u64,
    /// The lists that are being read page by page.
    snapshots: Snapshots,
}

impl Store {
    /// A new cluster, with the namespaces that every cluster has.
    pub(super) fn new(version: u64) -> Self {
        let mut store = Self {
            version,
            compacted: version,
            objects: BTreeMap::new(),
            history: VecDeque::new(),
            history_bytes: 0,
            dropped: version,
            snapshots: Snapshots::default(),
        };
        let resource = Resource::named("namespaces").expect("in the table");
        for name in ["default", "kube-system"] {
            let namespace = json!({ "metadata": { "name": name }, "spec": {}, "status": { "phase": "Active" } });
            store.write(Key::new(resource, "", name), namespace);
        }
        store
    }

    pub(super) fn version(&self) -> u64 {
        self.version
    }

    pub(super) fn get(&self, key: &Key) -> Option<&Object> {
        self.objects.get(key)
    }

    /// Creates or replaces an object, and sets the metadata that a server sets.
    pub(super) fn write(&mut self, key: Key, mut object: Value) -> Object {
        self.version += 1;
        let fields = object.as_object_mut().expect("objects are checked");
        // Not `remove`, which would move the last field to its place.
        fields.shift_remove("kind");
        fields.shift_remove("apiVersion");
        let identity = match self.objects.get(&key) {
            Some(old) => old.identity.clone(),
            // A test decides which of two objects is older, and which pod a runtime names.
            None => new_identity(&object["metadata"]),
        };
        let metadata = &mut object["metadata"];
        metadata["resourceVersion"] = self.version.to_string().into();
        metadata["uid"] = identity.uid.as_str().into();
        metadata["creationTimestamp"] = identity.created.as_str().into();
        let after = Object::new(&object, identity);
        let before = self.objects.insert(key.clone(), after.clone());
        self.record(key, before, after.clone(), false);
        after
    }

    /// Deletes an object and returns what it was.
    pub(super) fn delete(&mut self, key: &Key, resource: &Resource) -> Option<Object> {
        let before = self.objects.remove(key)?;
        self.version += 1;
        let mut last = before.value(resource);
        last["metadata"]["resourceVersion"] = self.version.to_string().into();
        let fields = last.as_object_mut().expect("objects are checked");
        fields.retain(|field, _| field != "kind" && field != "apiVersion");
        let last = Object::new(&last, before.identity.clone());
        self.record(key.clone(), Some(before), last.clone(), true);
        Some(last)
    }

    fn record(&mut self, key: Key, before: Option<Object>, after: Object, deleted: bool) {
        self.history_bytes += after.json.len();
        self.history.push_back(Change {
            version: self.version,
            key,
            before,
            after,
            deleted,
        });
        while self.history_bytes > MAX_HISTORY {
            let Some(oldest) = self.history.pop_front() else {
                break;
            };
            self.history_bytes -= oldest.after.json.len();
            self.dropped = oldest.version;
            self.compacted = self.compacted.max(oldest.version);
        }
    }

    /// Makes older versions unavailable to watches that start and to further pages of lists.
    pub(super) fn compact(&mut self) {
        self.compacted = self.version;
        self.snapshots.clear();
    }

    /// Whether a watch can start from this version; 410 otherwise.
    pub(super) fn check_start(&self, version: u64) -> Result<(), StatusError> {
        if version >= self.compacted {
            return Ok(());
        }
        Err(too_old(version, self.compacted))
    }

    /// What a watch gets of the changes after `cursor`: types of events, and objects.
    pub(super) fn changes(
        &self,
        request: &Request,
        cursor: u64,
    ) -> Result<Vec<(&'static str, Object)>, StatusError> {
        if cursor < self.dropped {
            return Err(too_old(cursor, self.dropped));
        }
        let start = self.history.partition_point(|it| it.version <= cursor);
        let changes = self.history.range(start..).filter_map(|change| {
            let is_selected = |object: &Object| object.is_selected(&change.key, request);
            let was = change.before.as_ref().is_some_and(is_selected);
            let event = match (was, !change.deleted && is_selected(&change.after)) {
                (false, true) => "ADDED",
                (true, true) => "MODIFIED",
                (true, false) => "DELETED",
                (false, false) => return None,
            };
            Some((event, change.after.clone()))
        });
        Ok(changes.collect())
    }

    /// The answer to a list request.
    pub(super) fn list(&mut self, request: &Request) -> Result<Page, StatusError> {
        let (version, items) = (self.version, self.select(request));
        self.snapshots.page(request, List { version, items })
    }

    /// All objects that a request selects.
    pub(super) fn select(&self, request: &Request) -> Vec<Object> {
        let objects = self.all(request.resource);
        let selected = objects.filter(|(key, object)| object.is_selected(key, request));
        selected.map(|(_, object)| object.clone()).collect()
    }

    /// All objects of a resource.
    pub(super) fn all(&self, resource: &Resource) -> impl Iterator<Item = (&Key, &Object)> {
        let objects = self.objects.range(Key::new(resource, "", "")..);
        let (group, plural) = (resource.group, resource.plural);
        objects.take_while(move |(key, _)| (key.0, key.1) == (group, plural))
    }
}

/// The error for a version that watches cannot start from.
pub(super) fn too_old(version: u64, oldest: u64) -> StatusError {
    let message = format!("too old resource version: {version} ({oldest})");
    StatusError::new(410, message)
}

/// The identity of a new object, as far as `given` does not have it.
fn new_identity(given: &Value) -> Identity {
    let uid = || {
        let uid = fs::read_to_string("/proc/sys/kernel/random/uuid");
        uid.expect("the kernel has it").trim().to_owned()
    };
    let created = || {
        let since = UNIX_EPOCH.elapsed().unwrap_or_default().as_secs();
        let created = i64::try_from(since).ok().map(Timestamp::from_second);
        created.and_then(Result::ok).unwrap_or_default().to_string()
    };
    let field = |key: &str| given[key].as_str().map(str::to_owned);
    Identity {
        uid: field("uid").unwrap_or_else(uid),
        created: field("creationTimestamp").unwrap_or_else(created),
    }
}
