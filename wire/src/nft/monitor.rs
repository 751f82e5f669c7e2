//! Hearing that somebody changed a table.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

use rtnetlink::packet_core::NetlinkBuffer;
use rtnetlink::sys::protocols::NETLINK_NETFILTER;

use super::Socket;
use super::attributes::Received;
use super::command::{chain, rule};
use super::message::{self, kind};
use super::types::Family;
use crate::netlink::Error;
use crate::netlink::subscription::Subscription;
use crate::nft::listing::table_name;

/// The bit of `NFNLGRP_NFTABLES`.
const GROUP: u32 = 1 << 6;

/// The kernel puts what a transaction changed together, up to a page or the longest single change.
const RECEIVE_BUFFER: usize = 128 * 1024;

/// `NFTA_GEN_PROC_NAME`.
const PROGRAM: u16 = 3;

/// A piece of news.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RulesetChange<'a> {
    /// Something of a table was made, changed or deleted.
    Changed {
        /// Which packets the table sees.
        family: Family,
        /// The table.
        table: &'a str,
        /// The chain, if it is or is in one.
        chain: Option<&'a str>,
        /// Whether it is a chain that the kernel calls, made or changed. Of a chain that was
        /// deleted the kernel does not say.
        is_base: bool,
    },
    /// That was all of a transaction.
    Committed {
        /// The program that made it.
        program: &'a str,
    },
    /// News was lost: everything may have changed.
    Lost,
}

/// A non-blocking subscription to the changes of all tables.
///
/// Its descriptor becomes readable with the next change, for `poll` or tokio's `AsyncFd`.
#[derive(Debug)]
pub struct Monitor {
    subscription: Subscription,
}

impl Monitor {
    /// Subscribes in the network namespace of the calling thread. Everything that changes from
    /// here on is heard of: list tables after this, not before.
    pub fn open() -> Result<Self, Error> {
        let subscription = Subscription::open(NETLINK_NETFILTER, GROUP, RECEIVE_BUFFER)?;
        Ok(Self { subscription })
    }

    /// Passes over what is changed by request of `socket`, and of no other any more.
    pub fn ignore(&mut self, socket: &Socket) {
        self.subscription.ignore(socket.port());
    }

    /// Tells everything that is there, without waiting.
    pub fn drain(&mut self, mut on_news: impl FnMut(RulesetChange<'_>)) -> Result<(), Error> {
        let lost = self
            .subscription
            .drain(|message| report_change(message, &mut on_news))?;
        if lost {
            on_news(RulesetChange::Lost);
        }
        Ok(())
    }
}

fn report_change(message: &NetlinkBuffer<&[u8]>, on_news: &mut impl FnMut(RulesetChange<'_>)) {
    let Some(kind) = message::kind_of(message.message_type()) else {
        return;
    };
    let (family, attributes) = message::parts(message.payload());
    on_news(match kind {
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

impl AsFd for Monitor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.subscription.as_fd()
    }
}

impl AsRawFd for Monitor {
    fn as_raw_fd(&self) -> RawFd {
        self.subscription.as_raw_fd()
    }
}
