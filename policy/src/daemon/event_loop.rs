//! The event loop of `flatland-policy run`: waits for the API, the ledgers, the kernel and signals, and
//! hands each event to the synchronous [`PolicyDaemon`].

use std::path::Path;
use std::pin::pin;
use std::time::{Duration, Instant};

use daemonkit::FLATLAND_POLICY;
use daemonkit::query;
use daemonkit::signals::EndSignals;
use kubernetes::ApiClient;
use policy::watch::ClusterWatch;
use tokio::sync::mpsc;
use tokio::time::{sleep_until, timeout};
use tracing::{error, info, warn};
use wire::paths::RUN_DIR;

use super::PolicyDaemon;
use super::answers::PolicyQuery;
use super::cut::FoundConnections;
use super::ledgers::LedgerWatch;
use super::packets::{DeniedPackets, TableMonitor};
use crate::config::Config;
use crate::error::Error;
use crate::{lock, pages};
use policy::timeouts::MAX_EVENTS;

/// An hour: the loop wakes at the latest then, to no avail.
const LONGEST_SLEEP: Duration = Duration::from_secs(3600);

/// What the loop waits for.
struct PolicyEventSources {
    signals: EndSignals,
    ledgers: LedgerWatch,
    table: TableMonitor,
    packets: DeniedPackets,
    api: ClusterWatch,
    queries: mpsc::Receiver<PolicyQuery>,
}

/// Runs until SIGTERM or SIGINT.
pub(crate) async fn run(config: Config) -> Result<(), Error> {
    let _lock = lock::acquire()?;
    let client = ApiClient::in_cluster(config.api_server.as_deref())?;
    let (query_client, queries) = query::channel(FLATLAND_POLICY);
    if let Err(error) = pages::serve(query_client, config.listen) {
        error!(%error, "cannot serve HTTP: {error}; policies are kept anyway");
    }
    let mut sources = PolicyEventSources {
        // Subscribed before the table is read, so that no change is missed.
        table: TableMonitor::open()?,
        signals: EndSignals::open()?,
        ledgers: LedgerWatch::new(Path::new(RUN_DIR))?,
        packets: DeniedPackets::open(),
        api: ClusterWatch::start(&client, lock::known_cluster()),
        queries,
    };
    info!(
        "flatland-policy {} for network {}, with the API server at {}",
        wire::VERSION,
        config.network,
        client.server()
    );
    let mut daemon = PolicyDaemon::start(config)?;
    // Twice: the first call finds the folders to watch, and what changed before that.
    for _ in 0..2 {
        let changes = sources.ledgers.changes();
        daemon.take_ledgers(changes);
    }
    let signal = handle_events(&mut daemon, &mut sources).await?;
    info!("stopping on {signal}: the rules stay as they are");
    // Without the socket, commands report at once that it does not run.
    let _ = std::fs::remove_file(FLATLAND_POLICY.socket);
    Ok(())
}

/// Hands events to the daemon until a signal comes.
async fn handle_events(
    daemon: &mut PolicyDaemon,
    sources: &mut PolicyEventSources,
) -> Result<&'static str, Error> {
    loop {
        let now = Instant::now();
        let wake = daemon.wake_at(now).unwrap_or(now + LONGEST_SLEEP);
        let mut wake = pin!(sleep_until(wake.into()));
        tokio::select! {
            signal = sources.signals.recv() => return Ok(signal),
            woken = sources.ledgers.changed() => {
                woken?;
                daemon.take_ledgers(sources.ledgers.changes());
            }
            event = sources.api.recv() => {
                let first = event.ok_or(Error::Ended("the watch on the API server"))?;
                let mut updates = vec![first];
                // What waits behind it is taken along, without waiting.
                while updates.len() < MAX_EVENTS
                    && let Ok(Some(next)) = timeout(Duration::ZERO, sources.api.recv()).await
                {
                    updates.push(next);
                }
                daemon.take_api(updates);
                daemon.note_versions(sources.api.versions());
                lock::remember_cluster(sources.api.cluster());
            }
            woken = sources.table.changed() => {
                woken?;
                sources.table.drain(daemon)?;
            }
            woken = sources.packets.readable() => {
                woken?;
                sources.packets.drain(daemon);
            }
            found = daemon.cutter.found() => daemon.cut(found?),
            Some(query) = sources.queries.recv() => daemon.answer(query),
            () = &mut wake => {}
        }
        daemon.run_due(Instant::now());
    }
}

impl PolicyDaemon {
    /// Ends the connections that the rules no longer allow.
    fn cut(&mut self, found: FoundConnections) {
        match self.cutter.cut(self.engine.ruleset(), found) {
            Ok(0) => {}
            Ok(count) => info!(
                count,
                "ended {count} connections that the policies no longer allow"
            ),
            Err(error) => warn!(
                %error,
                "cannot end connections that the policies no longer allow: {error}"
            ),
        }
    }
}
