//! Events for changes of links, addresses, routes and settings of links (rtnetlink multicast groups).

use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

use nix::libc::{
    RTM_DELADDR, RTM_DELLINK, RTM_DELROUTE, RTM_NEWADDR, RTM_NEWLINK, RTM_NEWNEIGH, RTM_NEWROUTE,
    RTMGRP_IPV4_IFADDR, RTMGRP_IPV4_ROUTE, RTMGRP_IPV6_IFADDR, RTMGRP_IPV6_ROUTE, RTMGRP_LINK,
    RTMGRP_NEIGH,
};
use rtnetlink::packet_core::{DecodeError, NLM_F_REPLACE, NetlinkBuffer, NlasIterator};
use rtnetlink::packet_route::link::{LinkFlags, LinkHeader};
use rtnetlink::sys::protocols::NETLINK_ROUTE;

use super::subscription::Subscription;
use super::{Address, Error, NetlinkSocket, Route, neighbour};

/// In bytes; longer than any single event.
const RECEIVE_BUFFER: usize = 16 * 1024;

/// `RTM_NEWNETCONF`, and its groups `RTNLGRP_IPV4_NETCONF` (24) and `RTNLGRP_IPV6_NETCONF` (25)
/// (`include/uapi/linux/rtnetlink.h`).
const RTM_NEWNETCONF: u16 = 80;
const RTMGRP_NETCONF: i32 = 1 << 23 | 1 << 24;

/// `NETCONFA_IFINDEX` and `NETCONFA_FORWARDING` (`include/uapi/linux/netconf.h`), after the aligned
/// `struct netconfmsg`.
const CHANGE_OF_FORWARDING: [u16; 2] = [1, 2];
const NETCONF_HEADER: usize = 4;

/// Which kinds of events to subscribe to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "groups of the kernel, each independent"
)]
pub struct Topics {
    /// Links: created, deleted, up, down, renamed; and whether they forward.
    pub links: bool,
    /// Addresses of both families.
    pub addresses: bool,
    /// Routes of both families.
    pub routes: bool,
    /// Neighbours that answer, or no longer do.
    pub neighbours: bool,
}

impl Topics {
    /// All kinds.
    pub const ALL: Self = Self {
        links: true,
        addresses: true,
        routes: true,
        neighbours: true,
    };

    fn groups(self) -> u32 {
        let group = |wanted: bool, groups: i32| if wanted { groups.cast_unsigned() } else { 0 };
        group(self.links, RTMGRP_LINK | RTMGRP_NETCONF)
            | group(self.addresses, RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR)
            | group(self.routes, RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE)
            | group(self.neighbours, RTMGRP_NEIGH)
    }
}

/// A change in the kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NetlinkEvent {
    /// A link was created, deleted, brought up or down, or changed in another way.
    Link {
        /// Its index.
        index: u32,
        /// Whether it exists and is administratively up (`IFF_UP`). The event for a link that goes
        /// down comes before the events for what the kernel removes with it.
        up: bool,
    },
    /// An address was added, removed or changed its state, for example to deprecated.
    Address {
        /// The index of the link.
        link: u32,
        /// The address.
        address: IpAddr,
    },
    /// A neighbour answered (`NUD_REACHABLE`), or it did not answer the kernel's requests
    /// (`NUD_FAILED`). There is no event for other states, nor for what a program did to the entry.
    Neighbour {
        /// The index of the link.
        link: u32,
        /// The neighbour's address.
        address: IpAddr,
        /// Whether it answered.
        answers: bool,
    },
    /// A route was added to the main table, possibly beside others to the same prefix.
    RouteAdded(Route),
    /// A route of the main table replaced another one, for which there is no event.
    RouteReplaced(Route),
    /// A route of the main table was removed. For routes that go with a link or an address the
    /// kernel sends this event for IPv6 only (`fib_flush`).
    RouteRemoved(Route),
    /// A program changed `forwarding` of a link, of all links or of future links.
    ForwardingChanged,
    /// Events were lost or cannot be parsed: anything may have changed.
    Lost,
}

impl NetlinkEvent {
    /// `None` for messages of other kinds.
    fn read(message: &NetlinkBuffer<&[u8]>) -> Option<Self> {
        Self::parse(message).unwrap_or(Some(Self::Lost))
    }

    fn parse(message: &NetlinkBuffer<&[u8]>) -> Result<Option<Self>, DecodeError> {
        let payload = message.payload();
        Ok(match message.message_type() {
            kind @ (RTM_NEWLINK | RTM_DELLINK) => {
                let header = LinkHeader::parse(payload)?;
                Some(Self::Link {
                    index: header.index,
                    up: kind == RTM_NEWLINK && header.flags.contains(LinkFlags::Up),
                })
            }
            RTM_NEWADDR | RTM_DELADDR => Address::parse(payload)?.map(|found| Self::Address {
                link: found.link,
                address: found.address.ip(),
            }),
            // A program that deletes an entry makes it fail before (`neigh_delete`): its port is there.
            RTM_NEWNEIGH if message.port_number() == 0 => {
                let event = neighbour::parse_event(payload)?;
                event.map(|(link, address, answers)| Self::Neighbour {
                    link,
                    address,
                    answers,
                })
            }
            RTM_NEWROUTE if message.flags() & NLM_F_REPLACE != 0 => {
                Route::parse(payload)?.map(Self::RouteReplaced)
            }
            RTM_NEWROUTE => Route::parse(payload)?.map(Self::RouteAdded),
            RTM_DELROUTE => Route::parse(payload)?.map(Self::RouteRemoved),
            RTM_NEWNETCONF => {
                // The event for a new link has all settings.
                let settings = payload.get(NETCONF_HEADER..).unwrap_or_default();
                let kinds = NlasIterator::new(settings).map_while(Result::ok);
                let is_change = kinds.map(|it| it.kind()).eq(CHANGE_OF_FORWARDING);
                is_change.then_some(Self::ForwardingChanged)
            }
            _ => None,
        })
    }
}

/// A non-blocking subscription to changes.
///
/// Its descriptor becomes readable with the next change, for `poll` or tokio's `AsyncFd`.
#[derive(Debug)]
pub struct NetlinkMonitor {
    subscription: Subscription,
}

impl NetlinkMonitor {
    /// Subscribes in the network namespace of the calling thread. List the tables after this call,
    /// not before, so that no change is missed.
    pub fn open(topics: Topics) -> Result<Self, Error> {
        Ok(Self {
            subscription: Subscription::open(NETLINK_ROUTE, topics.groups(), RECEIVE_BUFFER)?,
        })
    }

    /// Skips events for changes made through `socket`, and only through it (a later call replaces
    /// it). Changes that the kernel makes by itself are still reported.
    pub fn ignore(&mut self, socket: &NetlinkSocket) {
        self.subscription.ignore(socket.port());
    }

    /// Passes all changes since the last call to `on_event`, in order, without waiting, and
    /// [`NetlinkEvent::Lost`] at the end if some are missing.
    pub fn drain(&mut self, mut on_event: impl FnMut(NetlinkEvent)) -> Result<(), Error> {
        let lost = self.subscription.drain(|message| {
            if let Some(event) = NetlinkEvent::read(message) {
                on_event(event);
            }
        })?;
        if lost {
            on_event(NetlinkEvent::Lost);
        }
        Ok(())
    }
}

impl AsFd for NetlinkMonitor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.subscription.as_fd()
    }
}

impl AsRawFd for NetlinkMonitor {
    fn as_raw_fd(&self) -> RawFd {
        self.subscription.as_raw_fd()
    }
}
