//! Which cluster answers.

use serde::Deserialize;

use crate::client::ApiConnection;
use crate::error::Error;
use crate::object::Metadata;

/// The namespace whose UID is the identity of a cluster: it is made with the cluster, and cannot be
/// deleted.
const IDENTITY: &str = "/api/v1/namespaces/kube-system";

/// The identity of the cluster that answers: the UID of that namespace.
pub(crate) async fn identity(connection: &mut ApiConnection) -> Result<String, Error> {
    #[derive(Deserialize)]
    struct Namespace {
        metadata: Metadata,
    }
    let namespace: Namespace = connection.get(IDENTITY).await?;
    Ok(namespace.metadata.uid)
}

/// The number by which a cluster is known: the first 64 bits of the UID.
pub fn cluster_id(uid: &str) -> u64 {
    let digits: String = uid
        .chars()
        .filter(char::is_ascii_hexdigit)
        .take(16)
        .collect();
    u64::from_str_radix(&digits, 16).unwrap_or_default()
}
