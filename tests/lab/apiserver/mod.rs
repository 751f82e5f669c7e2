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
//!   `spec.nodeName=`. Every list is of the current version, also with
//!   `resourceVersionMatch=Exact`. A version of the future is refused at once, not after 3 s. There is no inconsistent continuation
//!   in the 410 of an expired page. An unfinished list expires after 20 others.
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
pub mod cluster;
mod control;
mod faults;
mod object;
mod pages;
mod patch;
mod real_node;
mod request;
mod resource;
mod serve;
mod server;
mod state;
mod store;
#[cfg(test)]
mod tests;
mod watch;
mod write;

pub use control::Saved;
pub use faults::{Answer, Faults, Record};
pub use real_node::real_node;
pub use server::{ApiServer, Certificate};
