//! The kernel's messages about the table: packets that it dropped, and changes by others.

use std::future::pending;
use std::io;
use std::time::Instant;

use daemonkit::readable::readable;
use tokio::io::unix::AsyncFd;
use tracing::warn;
use wire::netlink::Error;
use wire::nft::{NftMonitor, RulesetChange};
use wire::packet_log::PacketLog;

use super::PolicyDaemon;
use super::denials::Denial;
use crate::table::{self, DropSite, LOG_GROUP};

/// The packets that the rules log; `None` if another program reads them.
pub(super) struct DeniedPackets(Option<AsyncFd<PacketLog>>);

impl DeniedPackets {
    /// Begins to read. Without it the rules work all the same.
    pub(super) fn open() -> Self {
        let opened = PacketLog::bind(LOG_GROUP).map_err(|error| error.to_string());
        let opened = opened.and_then(|log| readable(log).map_err(|error| error.to_string()));
        Self(
            opened
                .map_err(|error| {
                    warn!(
                        %error,
                        "denied packets are not logged: {error}; see whether another program reads \
                         nflog group {LOG_GROUP}"
                    );
                })
                .ok(),
        )
    }

    /// Waits for a packet.
    pub(super) async fn readable(&mut self) -> io::Result<()> {
        match &mut self.0 {
            Some(log) => {
                log.readable_mut().await?.clear_ready();
                Ok(())
            }
            None => pending().await,
        }
    }

    /// Hands the packets to the daemon.
    pub(super) fn drain(&mut self, daemon: &mut PolicyDaemon) {
        let Some(log) = &mut self.0 else {
            return;
        };
        let now = Instant::now();
        let drained = log.get_mut().drain(|packet| {
            let site = DropSite::parse(&packet.prefix);
            let denial = site.zip(packet.headers());
            let denial =
                denial.and_then(|(site, packet)| Denial::of(&daemon.engine, site, &packet));
            if let Some(denial) = denial {
                daemon.denials.log(&denial, now);
            }
        });
        if let Err(error) = drained {
            warn!(%error, "cannot read denied packets: {error}; reading them anew");
            *self = Self::open();
        }
    }
}

/// Changes of the packet filter.
pub(super) struct TableMonitor(AsyncFd<NftMonitor>);

impl TableMonitor {
    /// Subscribes. Every later change is an event.
    pub(super) fn open() -> Result<Self, crate::error::Error> {
        Ok(Self(readable(NftMonitor::open()?)?))
    }

    /// Waits for a change.
    pub(super) async fn changed(&mut self) -> io::Result<()> {
        self.0.readable_mut().await?.clear_ready();
        Ok(())
    }

    /// Hands the changes of our table to the daemon.
    pub(super) fn drain(&mut self, daemon: &mut PolicyDaemon) -> Result<(), crate::error::Error> {
        let monitor = self.0.get_mut();
        daemon.hide_from(monitor);
        let own = table::table_id();
        let mut is_changed = false;
        let drained: Result<(), Error> = monitor.drain(|change| match change {
            RulesetChange::Changed { family, table, .. } => {
                is_changed |= family == own.family && table == own.name;
            }
            RulesetChange::Committed { program } => {
                if is_changed {
                    daemon.table_changed(program);
                }
                is_changed = false;
            }
            RulesetChange::Lost => daemon.table_changed("an unknown program"),
        });
        if let Err(error) = drained {
            warn!(%error, "lost the kernel's events: {error}; subscribing again");
            *self = Self::open()?;
            daemon.table_changed("an unknown program");
        }
        Ok(())
    }
}
