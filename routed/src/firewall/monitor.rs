//! The event loop's subscription to nftables changes.

use std::future::pending;
use std::io;

use daemonkit::readable::readable;
use tokio::io::unix::AsyncFd;
use tracing::warn;
use wire::nft::{NftMonitor, RulesetChange};

use crate::firewall::Firewall;

/// The subscription; `None` on a kernel without nftables.
#[derive(Debug)]
pub(crate) struct FirewallMonitor(Option<AsyncFd<NftMonitor>>);

impl FirewallMonitor {
    /// Subscribes. Every later change is an event.
    pub(crate) fn open() -> Self {
        Self(
            subscribe()
                .map_err(|error| warn!(error = %error, "{error}"))
                .ok(),
        )
    }

    /// Waits for a change.
    pub(crate) async fn changed(&mut self) -> io::Result<()> {
        match &mut self.0 {
            Some(monitor) => {
                monitor.readable_mut().await?.clear_ready();
                Ok(())
            }
            None => pending().await,
        }
    }

    /// Passes all pending events to the firewall.
    pub(crate) fn drain(&mut self, firewall: &mut Firewall) {
        let Some(monitor) = &mut self.0 else {
            return;
        };
        let monitor = monitor.get_mut();
        firewall.hide_from(monitor);
        if let Err(error) = monitor.drain(|change| firewall.ruleset_changed(change)) {
            warn!(error = %error, "lost nftables events, subscribing again: {error}");
            *self = Self::open();
            firewall.ruleset_changed(RulesetChange::Lost);
        }
    }
}

fn subscribe() -> Result<AsyncFd<NftMonitor>, crate::error::Error> {
    Ok(readable(NftMonitor::open()?)?)
}
