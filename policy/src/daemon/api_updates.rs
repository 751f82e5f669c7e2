//! What the API server says: events for the rules, outages, and how far each collection was read.

use policy::watch::{CollectionVersion, WatchUpdate};
use tracing::{error, info, warn};
use wire::clock::unix_seconds;
use wire::paths::POLICY_READY;
use wire::text::printable;

use super::PolicyDaemon;
use crate::status::CollectionStatus;

impl PolicyDaemon {
    /// Takes in what the API server says.
    pub(super) fn take_api(&mut self, updates: impl IntoIterator<Item = WatchUpdate>) {
        let mut events = Vec::new();
        for update in updates {
            match update {
                WatchUpdate::Events(more) => events.extend(more),
                WatchUpdate::Complete => {
                    info!("pods, namespaces and policies were read");
                    self.has_read_all = true;
                }
                WatchUpdate::Installed {
                    collection,
                    is_installed,
                } => {
                    let has = if is_installed { "has" } else { "does not have" };
                    info!(kind = collection, "the cluster {has} {collection}");
                }
                WatchUpdate::Disconnected { collection, error } => {
                    let advice = error.advice();
                    // It may have the words of a server or of a proxy.
                    let error = printable(&error.to_string());
                    warn!(
                        kind = collection, %error,
                        "{collection} are out of reach, what was read of them stays: {error}; {advice}"
                    );
                    self.outages.insert(collection, error);
                }
                WatchUpdate::Connected { collection } => {
                    info!(kind = collection, "{collection} are read again");
                    self.outages.remove(collection);
                }
                WatchUpdate::OtherCluster { collection, .. } => {
                    let why = "the API server is that of another cluster";
                    error!(
                        kind = collection,
                        "{why}, which is not believed: all rules stay; if the cluster was made anew, \
                         remove {POLICY_READY} and restart flatland-policy"
                    );
                    self.outages.insert(collection, why.to_owned());
                }
            }
        }
        self.take(events);
    }

    /// Takes in how far the collections were read. What was read of them was taken before.
    pub(super) fn note_versions<'a>(
        &mut self,
        versions: impl IntoIterator<Item = CollectionVersion<'a>>,
    ) {
        for read in versions {
            let status = self.collections.entry(read.collection).or_default();
            let version = read.version.unwrap_or_default();
            if (status.is_installed, status.resource_version.as_str())
                != (read.is_installed, version)
            {
                *status = CollectionStatus {
                    resource_version: version.to_owned(),
                    since: unix_seconds(),
                    is_installed: read.is_installed,
                };
            }
        }
    }
}
