//! Hearing, in the loop, of what others change in the packet filter.

use std::future::pending;
use std::io;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tracing::warn;
use wire::nft::{Monitor, RulesetChange};

use crate::firewall::Firewall;

/// The subscription; without one on a kernel that has no nftables.
#[derive(Debug)]
pub(crate) struct FirewallMonitor(Option<AsyncFd<Monitor>>);

impl FirewallMonitor {
    /// Subscribes. What changes from here on is heard of.
    pub(crate) fn open() -> Self {
        Self(subscribe().map_err(|why| warn!("{why}")).ok())
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

    /// Tells the firewall all that is there.
    pub(crate) fn drain(&mut self, firewall: &mut Firewall) {
        let Some(monitor) = &mut self.0 else {
            return;
        };
        let monitor = monitor.get_mut();
        firewall.hide_from(monitor);
        if let Err(why) = monitor.drain(|news| firewall.ruleset_changed(news)) {
            warn!("lost the packet filter's events, subscribing anew: {why}");
            *self = Self::open();
            firewall.ruleset_changed(RulesetChange::Lost);
        }
    }
}

#[allow(
    deprecated,
    reason = "its successor is unsafe, for types that give their descriptor away; Monitor does not"
)]
fn subscribe() -> Result<AsyncFd<Monitor>, crate::error::Error> {
    let monitor = Monitor::open()?;
    Ok(AsyncFd::with_interest(monitor, Interest::READABLE)?)
}
