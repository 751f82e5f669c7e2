//! What can happen.

use crate::api::{ClusterNetworkPolicy, Namespace, NetworkPolicy, Pod};
use crate::cluster::LedgerPod;
use crate::rules::PodName;

/// Something that changes in the cluster or on the node. `Applied` means that an object is there, new
/// or changed: the event has all of it.
#[derive(Debug, Clone)]
pub enum PolicyEvent {
    /// A pod of the API.
    PodApplied(Pod),
    /// A pod that the API no longer has.
    PodDeleted(PodName),
    /// A namespace.
    NamespaceApplied(Namespace),
    /// The name of a namespace that is gone.
    NamespaceDeleted(String),
    /// A NetworkPolicy.
    NetworkPolicyApplied(NetworkPolicy),
    /// A NetworkPolicy that is gone.
    NetworkPolicyDeleted {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// A ClusterNetworkPolicy.
    ClusterNetworkPolicyApplied(ClusterNetworkPolicy),
    /// The name of a ClusterNetworkPolicy that is gone.
    ClusterNetworkPolicyDeleted(String),
    /// A pod of this node: its entry in the ledger is there, new or changed.
    LocalPodAdded(LedgerPod),
    /// The id of a pod of this node whose entry in the ledger is gone.
    LocalPodRemoved(String),
}
