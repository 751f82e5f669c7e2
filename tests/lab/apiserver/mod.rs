//! A small API server of Kubernetes for tests: HTTPS with bearer tokens, and the faults that a test
//! asks for.
//!
//! It keeps objects in memory, checks them by their types (`k8s-openapi`), and has the rules of the
//! API that clients depend on: `resourceVersion` and conflicts, pages of one consistent list,
//! watches with bookmarks and initial events, `410 Gone`, RBAC rules, `Status` objects.
//!
//! What it does not show, compared with a kube-apiserver:
//! - **Protocol**: no HTTP/2, protobuf, tables, `PartialObjectMetadata`, compression, discovery,
//!   `/version`, health checks or `OpenAPI`. A client that asks for protobuf and JSON gets JSON.
//! - **Who**: no client certificates, no expiry of tokens by time and no audiences (a test revokes
//!   a token), no groups. `ValidatingAdmissionPolicy`, `NodeRestriction` and webhooks refuse nothing
//!   here.
//! - **Lists**: no `labelSelector`, and of `fieldSelector` only `metadata.name=` and
//!   `spec.nodeName=`. An exact old version can be listed only while pages of it are read. A
//!   version of the future is refused at once, not after 3 s. There is no inconsistent continuation
//!   in the 410 of an expired page.
//! - **Watches**: no watch of a single path. Bookmarks come every minute without jitter, and a
//!   watch without `timeoutSeconds` lasts exactly 30 minutes. Events are never late or reordered,
//!   and one server has no second replica that lags behind.
//! - **Writes**: no defaults, no validation beyond the types, no `generation`, no `dryRun`, no field
//!   ownership (`managedFields` stay as written; server-side apply is a strategic merge that creates
//!   what is missing, and removes nothing), no finalizers and no graceful deletion, no
//!   preconditions of deletion. Strategic merge knows the lists of Node objects only, and also
//!   serves custom resources, which a real server refuses. Events do not expire.
//! - **Limits**: no API Priority and Fairness, no limit on sizes. Nothing else runs: no controller,
//!   no kubelet, no heartbeats, no garbage collection, no pod CIDRs for new nodes.

mod access;
mod authority;
mod body;
mod faults;
mod object;
mod pages;
mod patch;
mod real_node;
mod request;
mod resource;
mod serve;
mod state;
mod status;
mod store;
#[cfg(test)]
mod tests;
mod watch;
mod write;

use std::fmt;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::{self, JoinHandle};

use k8s_openapi::api::rbac::v1::PolicyRule;
use serde::Serialize;
use serde_json::Value;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use wire::netns::Netns;

use crate::error::Doing;
use crate::{Error, Result};

use access::Grant;
use authority::Authority;
pub use faults::{Answer, Faults, Record};
pub use real_node::real_node;
use resource::{Key, Resource};
use state::{Signals, State};
use store::Store;

/// The resourceVersion of a new server.
const FIRST_VERSION: u64 = 1000;

/// A running server. It ends when the value is dropped.
pub struct ApiServer {
    netns: Netns,
    address: SocketAddr,
    state: Arc<State>,
    authority: Mutex<Authority>,
    runtime: Handle,
    listening: Mutex<Option<Listening>>,
    /// Ends the thread when it is dropped.
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// The task that accepts connections: it stops when `stop` is dropped, and `stopped` closes then.
struct Listening {
    stop: oneshot::Sender<()>,
    stopped: mpsc::Receiver<()>,
}

/// The certificate that a server shows to new connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Certificate {
    /// A new one of the authority of [`ApiServer::ca`].
    Valid,
    /// Of that authority, for another address and name.
    WrongName,
    /// Of an authority with the same name and another key.
    WrongAuthority,
}

/// The objects and versions of a server, as in a backup.
#[derive(Clone)]
pub struct Saved(Store);

impl ApiServer {
    /// Starts a server that listens on `address` in a network namespace. Port 0 takes a free one.
    /// No token is valid yet.
    pub fn start(netns: Netns, address: SocketAddr) -> Result<Self> {
        let authority = Authority::new("kubernetes")?;
        let acceptor = authority.acceptor(Some(address.ip()))?;
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.doing("starting the API server")?;
        let handle = runtime.handle().clone();
        let (end, ended) = oneshot::channel::<()>();
        let thread = thread::spawn(move || drop(runtime.block_on(ended)));
        let mut server = Self {
            netns,
            address,
            state: Arc::new(State::new(Store::new(FIRST_VERSION), acceptor)),
            authority: Mutex::new(authority),
            runtime: handle,
            listening: Mutex::default(),
            end: Some(end),
            thread: Some(thread),
        };
        server.address = server.listen()?;
        Ok(server)
    }

    /// Listens again after [`ApiServer::stop`], on the same address. Returns it.
    pub fn listen(&self) -> Result<SocketAddr> {
        let mut listening = self
            .listening
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if listening.is_some() {
            return Ok(self.address);
        }
        let bind = || TcpListener::bind(self.address);
        let listener = self.netns.run(bind).doing("entering the namespace")?;
        let listener = listener.doing(self.address)?;
        let address = listener.local_addr().doing(self.address)?;
        let (stop, stops) = oneshot::channel();
        let (done, stopped) = mpsc::channel();
        let accept = serve::accept(listener, Arc::clone(&self.state), stops);
        self.runtime.spawn(async move {
            let _done: mpsc::Sender<()> = done;
            accept.await
        });
        *listening = Some(Listening { stop, stopped });
        Ok(address)
    }

    /// Stops listening and breaks all connections. Objects, tokens and faults stay.
    pub fn stop(&self) {
        let mut listening = self
            .listening
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(Listening { stop, stopped }) = listening.take() {
            drop(stop);
            // The error says that the task has ended.
            let _ = stopped.recv();
        }
    }

    /// The namespace in which it listens.
    pub fn netns(&self) -> &Netns {
        &self.netns
    }

    /// The address on which it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The certificate of its authority, as PEM.
    pub fn ca(&self) -> Result<String> {
        self.authority
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pem()
    }

    /// Shows another certificate to new connections; [`ApiServer::stop`] and
    /// [`ApiServer::listen`] end the old ones.
    pub fn show(&self, certificate: Certificate) -> Result {
        let authority = self
            .authority
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let address = Some(self.address.ip());
        let acceptor = match certificate {
            Certificate::Valid => authority.acceptor(address),
            Certificate::WrongName => authority.acceptor(None),
            Certificate::WrongAuthority => Authority::new("kubernetes")?.acceptor(address),
        };
        *self.state.acceptor() = acceptor?;
        Ok(())
    }

    /// Makes a new authority and a certificate of it for new connections. Returns what
    /// [`ApiServer::ca`] is now.
    pub fn rotate_ca(&self) -> Result<String> {
        *self
            .authority
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Authority::new("kubernetes")?;
        self.show(Certificate::Valid)?;
        self.ca()
    }

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

    /// Creates or replaces an object, of any type of `k8s-openapi` or a JSON value, whoever owns
    /// it. Returns its resourceVersion.
    pub fn put(&self, object: &impl Serialize) -> Result<u64> {
        let object = serde_json::to_value(object).doing("the object")?;
        let resource = Resource::of(&object);
        let resource = resource.ok_or_else(|| Error::new("the server has no such resource"))?;
        (resource.check)(&object).map_err(Error::new)?;
        let field = |key: &str| object["metadata"][key].as_str().unwrap_or_default();
        let (namespace, name) = (field("namespace"), field("name"));
        if name.is_empty() || resource.namespaced == namespace.is_empty() {
            return Err(Error::new(
                "the object needs a name, and a namespace if its kind has one",
            ));
        }
        let key = Key::new(resource, namespace, name);
        Ok(self.state.store(|store| {
            store.write_keeping_identity(key, object, resource);
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
        let objects = self.state.store(|store| store.all(resource));
        objects
            .iter()
            .map(|(_, object)| object.value(resource))
            .collect()
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

impl fmt::Debug for ApiServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "API server on {}", self.address)
    }
}

impl Drop for ApiServer {
    fn drop(&mut self) {
        self.stop();
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the server has been printed.
            let _ = thread.join();
        }
    }
}
