//! Events for changes of the nftables ruleset.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

use rtnetlink::packet_core::NetlinkBuffer;
use rtnetlink::sys::protocols::NETLINK_NETFILTER;

use super::NftSocket;
use super::message::{self, kind};
use super::numbers::{chain, rule};
use super::types::TableFamily;
use crate::netfilter::attributes::Received;
use crate::netlink::Error;
use crate::netlink::subscription::Subscription;
use crate::nft::listing::table_name;

/// The bit of `NFNLGRP_NFTABLES`.
const GROUP: u32 = 1 << 6;

/// In bytes. The kernel groups the changes of a transaction, up to a page or the longest single
/// change.
const RECEIVE_BUFFER: usize = 128 * 1024;

/// `NFTA_GEN_PROC_NAME`.
const PROGRAM: u16 = 3;

/// An event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RulesetChange<'a> {
    /// Something in a table was created, changed or deleted.
    Changed {
        /// The family of the table.
        family: TableFamily,
        /// The table.
        table: &'a str,
        /// The chain that changed, or whose rule changed.
        chain: Option<&'a str>,
        /// Whether it is a base chain that was created or changed. The kernel does not say this of
        /// deleted chains.
        is_base: bool,
    },
    /// The end of a transaction.
    Committed {
        /// The program that made it.
        program: &'a str,
    },
    /// Events were lost: anything may have changed.
    Lost,
}

/// A non-blocking subscription to the changes of all tables.
///
/// Its descriptor becomes readable with the next change, for `poll` or tokio's `AsyncFd`.
#[derive(Debug)]
pub struct NftMonitor {
    subscription: Subscription,
}

impl NftMonitor {
    /// Subscribes in the network namespace of the calling thread. List tables after this call, not
    /// before, so that no change is missed.
    pub fn open() -> Result<Self, Error> {
        let subscription = Subscription::open(NETLINK_NETFILTER, GROUP, RECEIVE_BUFFER)?;
        Ok(Self { subscription })
    }

    /// Skips changes made through `socket`, and only through it.
    pub fn ignore(&mut self, socket: &NftSocket) {
        self.subscription.ignore(socket.port());
    }

    /// Passes all pending events to `on_change`, without waiting.
    pub fn drain(&mut self, mut on_change: impl FnMut(RulesetChange<'_>)) -> Result<(), Error> {
        let lost = self
            .subscription
            .drain(|message| report_change(message, &mut on_change))?;
        if lost {
            on_change(RulesetChange::Lost);
        }
        Ok(())
    }
}

fn report_change(message: &NetlinkBuffer<&[u8]>, on_change: &mut impl FnMut(RulesetChange<'_>)) {
    let Some(kind) = message::kind_of(message.message_type()) else {
        return;
    };
    let (family, attributes) = message::parts(message.payload());
    on_change(match kind {
        kind::NEW_GENERATION => RulesetChange::Committed {
            program: attributes.text(PROGRAM).unwrap_or_default(),
        },
        _ => RulesetChange::Changed {
            family,
            table: table_name(attributes),
            chain: chain_name(kind, attributes),
            is_base: is_base(kind, attributes),
        },
    });
}

fn chain_name(kind: u16, attributes: Received<'_>) -> Option<&str> {
    match kind {
        kind::NEW_CHAIN | kind::DEL_CHAIN => attributes.text(chain::NAME),
        kind::NEW_RULE | kind::DEL_RULE => attributes.text(rule::CHAIN),
        _ => None,
    }
}

fn is_base(kind: u16, attributes: Received<'_>) -> bool {
    kind == kind::NEW_CHAIN && attributes.bytes(chain::HOOK).is_some()
}

impl AsFd for NftMonitor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.subscription.as_fd()
    }
}

impl AsRawFd for NftMonitor {
    fn as_raw_fd(&self) -> RawFd {
        self.subscription.as_raw_fd()
    }
}
