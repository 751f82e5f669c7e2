//! The registry of a Kubernetes cluster: its Node objects. Kubernetes gives each node its pod CIDRs
//! (`spec.podCIDRs`), so nothing is claimed here, and nothing is written.
//!
//! | Node object | registry |
//! |---|---|
//! | `spec.podCIDRs` | the node's subnets |
//! | `status.addresses` of type `InternalIP` | its next hops |
//! | `status.nodeInfo.machineID` | its machine |
//! | condition `Ready` | its presence |

mod node;
mod pod_cidrs;
mod view;

use std::sync::Arc;
use std::time::Duration;

use ::kubernetes::{ApiClient, Watch, cluster_id};
use ipnet::IpNet;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use wire::conf::{IpamConfig, KubernetesConfig};
use wire::node::NodeName;

use crate::error::Error;
use crate::kubernetes::node::Node;
use crate::kubernetes::view::{Update, View};
use crate::protocol::{Acquired, Claimant, Goal, Registration};
use crate::records::NodeRecord;
use crate::snapshot::{RegistryEvent, Snapshot};

/// The collection of all Nodes.
const NODES: &str = "/api/v1/nodes";

/// How many events are queued for the receiver; further ones wait in the connection.
const QUEUE: usize = 64;

/// The registry of a Kubernetes cluster.
#[derive(Debug)]
pub(crate) struct KubernetesRegistry {
    conf: KubernetesConfig,
    /// What the watch has seen.
    seen: watch::Sender<WatchedNodes>,
}

#[derive(Debug)]
struct WatchedNodes {
    /// The pod CIDRs at the start. Unless they are configured, they are of the first cluster that is
    /// read.
    known: Vec<IpNet>,
    is_configured: bool,
    first_cluster: Option<u64>,
    view: View,
    /// The cluster and the version of the Nodes; `None` until all were read.
    position: Option<(u64, i64)>,
}

impl KubernetesRegistry {
    /// The registry that the section `kubernetes` of `conf` selects. Connects when it is read.
    pub(crate) fn new(conf: &IpamConfig, kubernetes: &KubernetesConfig) -> Self {
        let seen = WatchedNodes::new(&conf.pod_cidrs, kubernetes.pod_cidrs_given);
        Self {
            conf: kubernetes.clone(),
            seen: watch::channel(seen).0,
        }
    }

    fn client(&self) -> Result<ApiClient, ::kubernetes::Error> {
        ApiClient::in_cluster(self.conf.api_server.as_deref())
    }

    /// The subnets that Kubernetes gave to the claimant's node, once the watch has read all Nodes.
    pub(crate) async fn acquire(
        &self,
        claimant: Claimant<'_>,
        goal: Goal<'_>,
        time_limit: Duration,
    ) -> Result<Acquired, Error> {
        if let Goal::Further { .. } = goal {
            return Err(no_further(claimant.node));
        }
        let mut seen = self.seen.subscribe();
        let read = timeout(time_limit, seen.wait_for(|seen| seen.position.is_some())).await;
        match read {
            Ok(Ok(seen)) => seen.acquire(claimant),
            _ => Err(self.unreachable("the Nodes were not read yet".to_owned())),
        }
    }

    /// Reads all Nodes.
    pub(crate) async fn snapshot(&self) -> Result<Snapshot, Error> {
        let mut events = Watch::<Node>::start(self.client()?, NODES);
        while let Some(event) = events.recv().await {
            match event {
                ::kubernetes::WatchEvent::Disconnected(error) => return Err(error.into()),
                event => {
                    if let Some(RegistryEvent::Reset(snapshot)) = self.take(event) {
                        return Ok(snapshot);
                    }
                }
            }
        }
        Err(self.unreachable("the watch ended".to_owned()))
    }

    /// Starts the watch task. It ends when the receiver is dropped.
    pub(crate) fn watch_loop(self: Arc<Self>) -> mpsc::Receiver<RegistryEvent> {
        let (events, receiver) = mpsc::channel(QUEUE);
        tokio::spawn(async move {
            let mut nodes = match self.client() {
                Ok(client) => Watch::<Node>::start(client, NODES),
                Err(error) => {
                    // Nothing changes the environment of a running process.
                    let why = Error::from(error).to_string();
                    let _ = events.send(RegistryEvent::Disconnected { why }).await;
                    events.closed().await;
                    return;
                }
            };
            loop {
                let event = tokio::select! {
                    () = events.closed() => return,
                    event = nodes.recv() => event,
                };
                let Some(event) = event else {
                    return;
                };
                if let Some(event) = self.take(event) {
                    // The next turn sees that the receiver is gone.
                    let _ = events.send(event).await;
                }
            }
        });
        receiver
    }

    /// Takes in one event of the watch; returns what it is for the receiver of the registry's
    /// events, if it is anything.
    fn take(&self, event: ::kubernetes::WatchEvent<Node>) -> Option<RegistryEvent> {
        let mut outcome = None;
        match event {
            ::kubernetes::WatchEvent::Disconnected(error) => {
                let why = Error::from(error).to_string();
                return Some(RegistryEvent::Disconnected { why });
            }
            ::kubernetes::WatchEvent::Connected => return Some(RegistryEvent::Connected),
            // Only of a watch by pages.
            ::kubernetes::WatchEvent::Page { .. } | ::kubernetes::WatchEvent::Missing { .. } => {}
            ::kubernetes::WatchEvent::Reset {
                items,
                cluster,
                version,
            } => self.seen.send_modify(|seen| {
                seen.reset(items, cluster_id(&cluster), revision(&version));
                outcome = seen.snapshot().map(RegistryEvent::Reset);
            }),
            ::kubernetes::WatchEvent::Applied(node) => {
                self.seen
                    .send_modify(|seen| outcome = seen.update(node, false));
            }
            ::kubernetes::WatchEvent::Deleted(node) => {
                self.seen
                    .send_modify(|seen| outcome = seen.update(node, true));
            }
        }
        outcome
    }

    /// The error that Kubernetes did not answer.
    #[allow(clippy::unused_self, reason = "the other backends name themselves")]
    pub(crate) fn unreachable(&self, why: String) -> Error {
        let advice = "see the log of routed, and that the API server runs";
        Error::Kubernetes { why, advice }
    }
}

impl WatchedNodes {
    fn new(known: &[IpNet], is_configured: bool) -> Self {
        Self {
            known: known.to_vec(),
            is_configured,
            first_cluster: None,
            view: View::new(known, is_configured),
            position: None,
        }
    }

    /// Takes in all Nodes of a cluster. What another cluster needed counts in this one only if this
    /// one has a part of it: the network does not become smaller without need.
    fn reset(&mut self, nodes: Vec<Node>, cluster: u64, revision: i64) {
        let is_first = *self.first_cluster.get_or_insert(cluster) == cluster;
        if self.position.is_some_and(|(before, _)| before != cluster) {
            let counts = self.is_configured || is_first;
            let known = if counts { &*self.known } else { &[] };
            self.view = View::new(known, self.is_configured);
        }
        self.view.reset(nodes);
        self.view.keep_wider(&self.known);
        self.position = Some((cluster, revision));
    }

    fn update(&mut self, node: Node, is_deleted: bool) -> Option<RegistryEvent> {
        let (cluster, revision_before) = self.position?;
        let revision = revision(&node.version).max(revision_before);
        self.position = Some((cluster, revision));
        // No node can have another name.
        let name = node.name?;
        match self.view.update(&name, (!is_deleted).then_some(node.facts)) {
            Update::Changes(changes) if changes.is_empty() => None,
            Update::Changes(changes) => Some(RegistryEvent::Changes { revision, changes }),
            Update::Reset => self.snapshot().map(RegistryEvent::Reset),
        }
    }

    fn snapshot(&self) -> Option<Snapshot> {
        let (cluster, revision) = self.position?;
        Some(self.view.snapshot(cluster, revision))
    }

    fn acquire(&self, claimant: Claimant<'_>) -> Result<Acquired, Error> {
        let node = claimant.node;
        let Some(facts) = self.view.node(node) else {
            let why = format!("there is no Node {node}");
            let advice = "see that the kubelet has registered, and under which name (kubectl get \
                          nodes); another name is given by --node-name or NODE_NAME";
            return Err(Error::Kubernetes { why, advice });
        };
        let theirs = &facts.record.machine_id;
        if !theirs.is_empty() && !theirs.eq_ignore_ascii_case(claimant.machine) {
            let ours = NodeRecord {
                addresses: claimant.addresses.unwrap_or_default().to_vec(),
                machine_id: claimant.machine.to_owned(),
                session: None,
            };
            return Err(Error::NodeTaken {
                node: node.clone(),
                ours,
                theirs: Box::new(facts.record.clone()),
            });
        }
        let subnets = self.view.owned_by(node);
        if subnets.is_empty() {
            return Err(no_pod_cidrs(node, self.view.problem(node)));
        }
        Ok(Acquired {
            subnets,
            registration: Registration::Unchanged,
            cluster: self.position.map(|(cluster, _)| cluster),
        })
    }
}

/// The error that `node` has no pod CIDR that can be used, because of a `problem` or because it has
/// none.
fn no_pod_cidrs(node: &NodeName, problem: Option<String>) -> Error {
    if let Some(why) = problem {
        let advice = "let it have another pod CIDR: drain the node, delete its Node object and restart \
                      its kubelet; all pod CIDRs of a family have to be parts of one prefix";
        return Error::NoPodCidrs { why, advice };
    }
    let why = format!("Node {node} has no podCIDRs");
    let advice = "run kube-controller-manager with --allocate-node-cidrs=true and --cluster-cidr \
                  (kubeadm init --pod-network-cidr=10.244.0.0/16)";
    Error::NoPodCidrs { why, advice }
}

/// The error that Kubernetes gives no node a second pod CIDR of a family.
pub(crate) fn no_further(node: &NodeName) -> Error {
    let why = format!("Kubernetes gives node {node} its podCIDRs and no others");
    let advice = "let fewer pods run on the node (the kubelet's maxPods), or add nodes; how large \
                  podCIDRs are is decided by --node-cidr-mask-size of kube-controller-manager";
    Error::Kubernetes { why, advice }
}

/// A resource version as a number: later ones are larger (Kubernetes API Concepts, "Resource
/// versions"; the API server's own are revisions of its etcd). 0 if it is none.
fn revision(version: &str) -> i64 {
    version.parse().unwrap_or_default()
}

impl From<::kubernetes::Error> for Error {
    fn from(error: ::kubernetes::Error) -> Self {
        Self::Kubernetes {
            why: error.to_string(),
            advice: error.advice(),
        }
    }
}

#[cfg(test)]
mod tests;
