//! The watches of all collections, merged.

use std::collections::VecDeque;

use kubernetes::ApiClient;

use super::collection_watch::CollectionWatch;
use super::update::{CollectionVersion, WatchUpdate};
use crate::api::{ClusterNetworkPolicy, Namespace, NetworkPolicy, Pod};

/// Follows the pods, namespaces and policies of a cluster.
#[derive(Debug)]
pub struct ClusterWatch {
    /// The number of the known cluster.
    known: Option<u64>,
    pods: CollectionWatch<Pod>,
    namespaces: CollectionWatch<Namespace>,
    network_policies: CollectionWatch<NetworkPolicy>,
    cluster_network_policies: CollectionWatch<ClusterNetworkPolicy>,
    is_complete: bool,
    /// What was not given out yet.
    updates: VecDeque<WatchUpdate>,
}

impl ClusterWatch {
    /// Starts to follow the cluster whose number (`kubernetes::cluster_id`) is `known`; the first that
    /// answers if that is `None`. Has to be called in a runtime. The account needs the verbs `get`,
    /// `list` and `watch` for the four collections.
    pub fn start(client: &ApiClient, known: Option<u64>) -> Self {
        Self {
            known,
            pods: CollectionWatch::start(client),
            namespaces: CollectionWatch::start(client),
            network_policies: CollectionWatch::start(client),
            cluster_network_policies: CollectionWatch::start(client),
            is_complete: false,
            updates: VecDeque::new(),
        }
    }

    /// Waits for the next update. `None` means that a watch ended by itself, which is an error in this
    /// program. Nothing is lost if the future is dropped.
    pub async fn recv(&mut self) -> Option<WatchUpdate> {
        loop {
            if let Some(update) = self.updates.pop_front() {
                return Some(update);
            }
            let (known, updates) = (&mut self.known, &mut self.updates);
            tokio::select! {
                event = self.pods.recv() => self.pods.take(event?, known, updates),
                event = self.namespaces.recv() => self.namespaces.take(event?, known, updates),
                event = self.network_policies.recv() => {
                    self.network_policies.take(event?, known, updates);
                }
                event = self.cluster_network_policies.recv() => {
                    self.cluster_network_policies.take(event?, known, updates);
                }
            }
            self.note_complete();
        }
    }

    /// The number of the known cluster; `None` before one answered.
    pub fn cluster(&self) -> Option<u64> {
        self.known
    }

    /// How far each collection was read; none while updates wait for [`ClusterWatch::recv`].
    pub fn versions(&self) -> impl Iterator<Item = CollectionVersion<'_>> {
        let all = [
            self.pods.collection().version(),
            self.namespaces.collection().version(),
            self.network_policies.collection().version(),
            self.cluster_network_policies.collection().version(),
        ];
        all.into_iter().filter(|_| self.updates.is_empty())
    }

    /// The number of another cluster that answers, if one does.
    pub fn other_cluster(&self) -> Option<u64> {
        let refused = [
            self.pods.collection().refused(),
            self.namespaces.collection().refused(),
            self.network_policies.collection().refused(),
            self.cluster_network_policies.collection().refused(),
        ];
        // One that is trusted now has not answered everything yet.
        let mut refused = refused.into_iter().flatten();
        refused.find(|it| self.known != Some(*it))
    }

    /// Makes `cluster` the known one, and reads everything from it. What it does not have is gone, once
    /// it was read.
    pub fn trust(&mut self, cluster: u64) {
        if self.known.replace(cluster) == Some(cluster) {
            return;
        }
        // Also what is still followed in the cluster before.
        self.pods.restart();
        self.namespaces.restart();
        self.network_policies.restart();
        self.cluster_network_policies.restart();
    }

    fn note_complete(&mut self) {
        let is_complete = self.pods.collection().is_complete()
            && self.namespaces.collection().is_complete()
            && self.network_policies.collection().is_complete()
            && self.cluster_network_policies.collection().is_complete();
        if is_complete && !self.is_complete {
            self.is_complete = true;
            self.updates.push_back(WatchUpdate::Complete);
        }
    }
}
