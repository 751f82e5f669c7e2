//! Hearing that the kernel's tables changed.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

use nix::libc::{
    RTM_DELADDR, RTM_DELLINK, RTM_DELROUTE, RTM_NEWADDR, RTM_NEWLINK, RTM_NEWROUTE,
    RTMGRP_IPV4_IFADDR, RTMGRP_IPV4_ROUTE, RTMGRP_IPV6_IFADDR, RTMGRP_IPV6_ROUTE, RTMGRP_LINK,
};
use rtnetlink::sys::protocols::NETLINK_ROUTE;

use super::subscription::Subscription;
use super::{Error, Socket};

/// Longer than any single event, of which only the type is looked at.
const RECEIVE_BUFFER: usize = 16 * 1024;

/// Some of the kernel's tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Topics {
    /// Links: made, deleted, up, down, renamed.
    pub links: bool,
    /// Addresses of both families.
    pub addresses: bool,
    /// Routes of both families, of every table and protocol.
    pub routes: bool,
}

impl Topics {
    /// Every table.
    pub const ALL: Self = Self {
        links: true,
        addresses: true,
        routes: true,
    };

    /// Whether it is at least one.
    pub fn any(self) -> bool {
        self.links || self.addresses || self.routes
    }

    fn groups(self) -> u32 {
        let group = |wanted: bool, groups: i32| if wanted { groups.cast_unsigned() } else { 0 };
        group(self.links, RTMGRP_LINK)
            | group(self.addresses, RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR)
            | group(self.routes, RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE)
    }

    fn add(&mut self, message_type: u16) {
        match message_type {
            RTM_NEWLINK | RTM_DELLINK => self.links = true,
            RTM_NEWADDR | RTM_DELADDR => self.addresses = true,
            RTM_NEWROUTE | RTM_DELROUTE => self.routes = true,
            _ => {}
        }
    }
}

/// A non-blocking subscription to the changes of some tables. It tells which tables changed, not
/// how: whoever hears of a change lists the table again.
///
/// Its descriptor becomes readable with the next change, for `poll` or tokio's `AsyncFd`.
#[derive(Debug)]
pub struct Monitor {
    subscription: Subscription,
    topics: Topics,
}

impl Monitor {
    /// Subscribes in the network namespace of the calling thread. Everything that changes from
    /// here on is heard of: list the tables after this, not before.
    pub fn open(topics: Topics) -> Result<Self, Error> {
        Ok(Self {
            subscription: Subscription::open(NETLINK_ROUTE, topics.groups(), RECEIVE_BUFFER)?,
            topics,
        })
    }

    /// Passes over what is changed by request of `socket`, and of no other any more: whoever asks
    /// for a change need not hear of it. What the kernel does by itself is told all the same.
    pub fn ignore(&mut self, socket: &Socket) {
        self.subscription.ignore(socket.port());
    }

    /// Reads everything that is there, without waiting, and tells which tables changed since the
    /// last call. Where events were lost, every subscribed one did.
    pub fn drain(&mut self) -> Result<Topics, Error> {
        let mut changed = Topics::default();
        let lost = self
            .subscription
            .drain(|message| changed.add(message.message_type()))?;
        Ok(if lost { self.topics } else { changed })
    }
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
