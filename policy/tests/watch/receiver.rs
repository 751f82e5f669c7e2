//! What a receiver has, after the updates that it took in.

use std::collections::BTreeMap;
use std::time::Duration;

use policy::compile::PolicyEvent;
use policy::watch::{ClusterWatch, WatchUpdate};
use tokio::time::timeout;

use crate::server::Server;

const DEADLINE: Duration = Duration::from_secs(60);

pub(crate) struct ClusterReceiver {
    pub(crate) watch: ClusterWatch,
    /// Each object by its kind and name.
    objects: BTreeMap<String, String>,
    pub(crate) is_complete: bool,
    pub(crate) installed: Option<bool>,
    /// How many collections cannot be read.
    pub(crate) outages: usize,
    /// For how many collections another cluster answered.
    pub(crate) refusals: usize,
    /// For each update, how many pods are there, or gone (negative).
    pub(crate) changes_of_pods: Vec<i32>,
}

impl ClusterReceiver {
    pub(crate) fn start(server: &Server, known: Option<u64>) -> Self {
        Self {
            watch: ClusterWatch::start(&server.client(), known),
            objects: BTreeMap::new(),
            is_complete: false,
            installed: None,
            outages: 0,
            refusals: 0,
            changes_of_pods: Vec::new(),
        }
    }

    /// All objects, in order: their kind, name and, of pods, addresses.
    pub(crate) fn objects(&self) -> String {
        let shown = |(name, addresses): (&String, &String)| format!("{name}{addresses}");
        self.objects
            .iter()
            .map(shown)
            .collect::<Vec<_>>()
            .join("; ")
    }

    /// The number of objects of a kind.
    pub(crate) fn count(&self, kind: &str) -> usize {
        let is_it = |name: &&String| name.split(' ').next() == Some(kind);
        self.objects.keys().filter(is_it).count()
    }

    pub(crate) async fn wait_complete(&mut self) {
        self.wait_until(|it| it.is_complete).await;
    }

    pub(crate) async fn wait_for(&mut self, objects: &str) {
        self.wait_until(|it| it.objects() == objects).await;
    }

    pub(crate) async fn wait_until(&mut self, is_so: impl Fn(&Self) -> bool) {
        while !is_so(self) {
            let update = timeout(DEADLINE, self.watch.recv()).await;
            let update = update.unwrap_or_else(|_| panic!("{}", self.objects()));
            self.take(update.expect("a watch has no end"));
        }
    }

    /// Waits for this time, in which nothing may be reported.
    pub(crate) async fn wait_quiet(&mut self, time: Duration) {
        let update = timeout(time, self.watch.recv()).await;
        assert!(update.is_err(), "{update:?}");
    }

    fn take(&mut self, update: WatchUpdate) {
        match update {
            WatchUpdate::Events(events) => {
                let changes = events.iter().map(|event| match event {
                    PolicyEvent::PodApplied(_) => 1,
                    PolicyEvent::PodDeleted(_) => -1,
                    _ => 0,
                });
                self.changes_of_pods.push(changes.sum());
                for event in events {
                    self.apply(event);
                }
            }
            WatchUpdate::Complete => {
                assert!(!self.is_complete, "this comes once");
                self.is_complete = true;
            }
            WatchUpdate::Installed { is_installed, .. } => self.installed = Some(is_installed),
            WatchUpdate::Disconnected { .. } => self.outages += 1,
            WatchUpdate::OtherCluster { .. } => self.refusals += 1,
            WatchUpdate::Connected { .. } => self.outages = self.outages.saturating_sub(1),
        }
    }

    fn apply(&mut self, event: PolicyEvent) {
        let (name, state) = match event {
            PolicyEvent::PodApplied(it) => {
                let addresses = it.addresses.iter().map(|address| format!(" {address}"));
                let name = format!("pod {}/{}", it.namespace, it.name);
                (name, Some(addresses.collect()))
            }
            PolicyEvent::PodDeleted(it) => (format!("pod {}/{}", it.namespace, it.name), None),
            PolicyEvent::NamespaceApplied(it) => (format!("ns {}", it.name), Some(String::new())),
            PolicyEvent::NamespaceDeleted(name) => (format!("ns {name}"), None),
            PolicyEvent::NetworkPolicyApplied(it) => {
                let name = format!("np {}/{}", it.metadata.namespace, it.metadata.name);
                (name, Some(String::new()))
            }
            PolicyEvent::NetworkPolicyDeleted { namespace, name } => {
                (format!("np {namespace}/{name}"), None)
            }
            PolicyEvent::ClusterNetworkPolicyApplied(it) => {
                (format!("cnp {}", it.metadata.name), Some(String::new()))
            }
            PolicyEvent::ClusterNetworkPolicyDeleted(name) => (format!("cnp {name}"), None),
            PolicyEvent::LocalPodAdded(_) | PolicyEvent::LocalPodRemoved(_) => {
                panic!("the API knows nothing of the ledger")
            }
        };
        match state {
            Some(state) => drop(self.objects.insert(name, state)),
            None => assert!(self.objects.remove(&name).is_some(), "{name} was not there"),
        }
    }
}
