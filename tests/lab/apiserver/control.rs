//! What a test does with a server: access, objects, faults, records.

use k8s_openapi::api::rbac::v1::PolicyRule;
use serde::Serialize;
use serde_json::Value;

use super::access::Grant;
use super::faults::{Faults, Record};
use super::resource::{Key, Resource};
use super::server::ApiServer;
use super::state::Signals;
use super::store::Store;
use crate::error::Doing;
use crate::{Error, Result};

/// The objects and versions of a server, as in a backup.
#[derive(Clone)]
pub struct Saved(Store);

impl ApiServer {
    /// Makes a bearer token of `user` valid, such as
    /// `system:serviceaccount:flatland:routed`. A user may have several.
    pub fn add_token(&self, token: &str, user: &str) {
        let mut access = self.state.access();
        access.tokens.insert(token.to_owned(), user.to_owned());
    }

    /// Makes a token invalid: 401 from the next request on.
    pub fn revoke_token(&self, token: &str) {
        self.state.access().tokens.remove(token);
    }

    /// Lets a user do what the rules of a Role or `ClusterRole` say: in one namespace (a
    /// `RoleBinding`) or everywhere (`None`, a `ClusterRoleBinding`).
    pub fn grant(&self, user: &str, namespace: Option<&str>, rules: &[PolicyRule]) {
        let grants = rules.iter().map(|rule| Grant {
            user: user.to_owned(),
            namespace: namespace.map(str::to_owned),
            rule: rule.clone(),
        });
        self.state.access().grants.extend(grants);
    }

    /// Takes all rights from a user: 403 from the next request on.
    pub fn revoke_grants(&self, user: &str) {
        self.state
            .access()
            .grants
            .retain(|grant| grant.user != user);
    }

    /// Creates or replaces an object: of a type of `k8s-openapi`, or a JSON value, which is not
    /// checked. Returns its resourceVersion.
    pub fn put(&self, object: &impl Serialize) -> Result<u64> {
        let object = serde_json::to_value(object).doing("the object")?;
        let resource = Resource::of(&object);
        let resource = resource.ok_or_else(|| Error::new("the server has no such resource"))?;
        let field = |key: &str| object["metadata"][key].as_str().unwrap_or_default();
        let (namespace, name) = (field("namespace"), field("name"));
        if name.is_empty() || resource.namespaced == namespace.is_empty() {
            return Err(Error::new("no name, or a namespace where there is none"));
        }
        let key = Key::new(resource, namespace, name);
        Ok(self.state.store(|store| {
            store.write(key, object);
            store.version()
        }))
    }

    /// An object; the namespace is empty for nodes and the like.
    pub fn get(&self, plural: &str, namespace: &str, name: &str) -> Option<Value> {
        let resource = Resource::named(plural)?;
        let key = Key::new(resource, namespace, name);
        let object = self.state.store(|store| store.get(&key).cloned());
        object.map(|object| object.value(resource))
    }

    /// All objects of a resource.
    pub fn list(&self, plural: &str) -> Vec<Value> {
        let Some(resource) = Resource::named(plural) else {
            return Vec::new();
        };
        self.state.store(|store| {
            let objects = store.all(resource);
            objects.map(|(_, object)| object.value(resource)).collect()
        })
    }

    /// Deletes an object. Returns whether there was one.
    pub fn delete(&self, plural: &str, namespace: &str, name: &str) -> bool {
        Resource::named(plural).is_some_and(|resource| {
            let key = Key::new(resource, namespace, name);
            self.state
                .store(|store| store.delete(&key, resource))
                .is_some()
        })
    }

    /// The current resourceVersion.
    pub fn version(&self) -> u64 {
        self.state.store(|store| store.version())
    }

    /// Objects and versions as they are now.
    pub fn save(&self) -> Saved {
        Saved(self.state.store(|store| store.clone()))
    }

    /// Goes back to what was saved: the same cluster, with lower versions. Between
    /// [`ApiServer::stop`] and [`ApiServer::listen`], as a real restore.
    pub fn restore(&self, saved: &Saved) {
        self.state.store(|store| *store = saved.0.clone());
    }

    /// Becomes another, empty cluster: other UIDs, also of the namespace `kube-system`, and
    /// versions from `version` on. Between [`ApiServer::stop`] and [`ApiServer::listen`].
    pub fn replace_cluster(&self, version: u64) {
        self.restore(&Saved(Store::new(version)));
    }

    /// Forgets the versions before the current one: 410 for watches that start from them, and for
    /// further pages of lists.
    pub fn compact(&self) {
        self.state.store(Store::compact);
    }

    /// Ends all watches, after the events up to now.
    pub fn drop_watches(&self) {
        self.signal(|signals| signals.ends += 1);
    }

    /// Ends all watches with an event that says 410.
    pub fn expire_watches(&self) {
        self.signal(|signals| signals.expiries += 1);
    }

    /// Sends a bookmark to all watches that take them.
    pub fn send_bookmarks(&self) {
        self.signal(|signals| signals.bookmarks += 1);
    }

    /// Sets what is wrong from now on, in place of what was. [`Faults::default`] ends all faults.
    pub fn set_faults(&self, faults: Faults) {
        *self.state.faults() = faults;
        self.signal(|signals| signals.changes += 1);
    }

    /// The faults; `next` has the answers that were not given yet.
    pub fn faults(&self) -> Faults {
        self.state.faults().clone()
    }

    /// All requests since the start or [`ApiServer::clear_records`].
    pub fn records(&self) -> Vec<Record> {
        self.state.records().clone()
    }

    /// How many of them have this verb and resource (with its subresource, as `nodes/status`).
    pub fn count(&self, verb: &str, resource: &str) -> usize {
        let records = self.state.records();
        let is_it = |it: &&Record| it.verb == verb && it.resource == resource;
        records.iter().filter(is_it).count()
    }

    /// Forgets the requests so far. The bytes of watches that go on are not counted any more.
    pub fn clear_records(&self) {
        self.state.records().clear();
    }

    fn signal(&self, change: impl FnOnce(&mut Signals)) {
        self.state.signals.send_modify(change);
    }
}
