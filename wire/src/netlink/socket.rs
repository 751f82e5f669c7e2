//! The rtnetlink socket: applies requests and lists links, addresses, routes, rules, neighbours.

use std::fmt::Display;
use std::io;
use std::net::IpAddr;
use std::ops::ControlFlow;
use std::slice;

use nix::errno::Errno;
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::packet_route::link::LinkMessage;
use rtnetlink::packet_route::rule::RuleMessage;
use rtnetlink::sys::protocols::NETLINK_ROUTE;

use super::query::Listing;
use super::transport::Transport;
use super::{
    Address, Error, Link, Neighbour, NetlinkRequest, PolicyRule, Route, VethPair, address, link,
    neighbour, route,
};
use crate::netlink::reply::{Body, Reply};

/// Requests in one datagram. All refusals wait in the socket's receive buffer until the datagram is
/// processed: more than about 128 could overrun it.
const BATCH: usize = 64;

/// A blocking netlink socket. It belongs to the network namespace of the thread that opened it,
/// even if a thread in another namespace uses it.
#[derive(Debug)]
pub struct NetlinkSocket {
    pub(super) transport: Transport,
}

impl NetlinkSocket {
    /// Opens a socket in the network namespace of the calling thread.
    pub fn open() -> Result<Self, Error> {
        Ok(Self {
            transport: Transport::open(NETLINK_ROUTE)?,
        })
    }

    /// Its netlink port; `None` before its first use.
    pub(super) fn port(&self) -> Option<u32> {
        self.transport.port()
    }

    /// Applies all requests in order and returns the failures in order. The kernel goes on after a
    /// request that it refuses.
    ///
    /// # Errors
    /// Only if the socket fails: then it is unknown which requests were applied.
    pub fn apply(&mut self, requests: &[NetlinkRequest]) -> Result<Vec<Error>, Error> {
        let mut failures = Vec::new();
        for (number, batch) in requests.chunks(BATCH).enumerate() {
            self.apply_batch(number * BATCH, batch, &mut failures, |_| {})?;
        }
        Ok(failures)
    }

    /// As [`NetlinkSocket::apply`], but returns the first failure as the error.
    pub fn apply_all(&mut self, requests: &[NetlinkRequest]) -> Result<(), Error> {
        self.apply(requests)?.into_iter().next().map_or(Ok(()), Err)
    }

    /// Creates a veth pair and returns the indexes of its host end and of its peer, each in its own
    /// namespace.
    ///
    /// # Errors
    /// [`Error::Refused`] means that nothing was created; after other errors that is unknown.
    pub fn add_veth(&mut self, pair: &VethPair) -> Result<(u32, u32), Error> {
        let mut failures = Vec::new();
        let mut echo = None;
        let request = NetlinkRequest::AddVeth(pair.clone());
        let on_echo = |payload: &[u8]| echo = Link::parse(payload).ok();
        self.apply_batch(0, slice::from_ref(&request), &mut failures, on_echo)?;
        if let Some(failure) = failures.pop() {
            return Err(failure);
        }
        // Kernels before 6.2 do not echo what they created.
        let host = match echo {
            Some(link) => Some(link),
            None => self.link_by_name(&pair.name).map_err(uncertain)?,
        };
        // The kernel may leave out the index of the other end if both indexes are equal.
        host.map(|host| (host.index, host.link.unwrap_or(host.index)))
            .ok_or_else(|| Error::Refused {
                index: 0,
                request: request.to_string(),
                errno: Errno::ENODEV,
                message: Some("the link is gone again".to_owned()),
            })
    }

    /// The link with that name, if it exists.
    pub fn link_by_name(&mut self, name: &str) -> Result<Option<Link>, Error> {
        self.link(
            link::query(Some(name), 0),
            &format_args!("ip link show {name}"),
        )
    }

    /// The link with that index, if it exists.
    pub fn link_by_index(&mut self, index: u32) -> Result<Option<Link>, Error> {
        self.link(
            link::query(None, index),
            &format_args!("ip link show if{index}"),
        )
    }

    /// All links.
    pub fn links(&mut self) -> Result<Vec<Link>, Error> {
        let query = RouteNetlinkMessage::GetLink(link::query(None, 0));
        self.transport.list(&query, &"ip link show", |payload| {
            Link::parse(payload).map(Some)
        })
    }

    /// Whether a bridge has ports. The kernel looks through all links, but lists only the ports.
    pub fn has_ports(&mut self, bridge: u32) -> Result<bool, Error> {
        let query = RouteNetlinkMessage::GetLink(link::ports(bridge));
        let request = format_args!("ip link show master if{bridge}");
        let ports = self.transport.list(&query, &request, |payload| {
            let link = Link::parse(payload)?;
            Ok((link.master == Some(bridge)).then_some(link.index))
        })?;
        Ok(!ports.is_empty())
    }

    /// All links, in at most `attempts` attempts, also on a node whose links change all the time.
    pub fn links_within(&mut self, attempts: u32) -> Result<Listing<Link>, Error> {
        let query = RouteNetlinkMessage::GetLink(link::query(None, 0));
        self.transport
            .list_within(attempts, &query, &"ip link show", |payload| {
                Link::parse(payload).map(Some)
            })
    }

    /// The addresses of one link, or of all links.
    pub fn addresses(&mut self, link: Option<u32>) -> Result<Vec<Address>, Error> {
        let query = RouteNetlinkMessage::GetAddress(address::query(link.unwrap_or(0)));
        let wanted = |address: &Address| link.is_none_or(|link| link == address.link);
        self.transport.list(&query, &"ip address show", |payload| {
            Ok(Address::parse(payload)?.filter(wanted))
        })
    }

    /// The routes of the main table, of both families: all, or only those of one protocol.
    pub fn routes(&mut self, protocol: Option<u8>) -> Result<Vec<Route>, Error> {
        let query = RouteNetlinkMessage::GetRoute(route::main_table(protocol));
        let wanted = |route: &Route| protocol.is_none_or(|protocol| protocol == route.protocol);
        self.transport.list(&query, &"ip route show", |payload| {
            Ok(Route::parse(payload)?.filter(wanted))
        })
    }

    /// The routes of the table with that number, of both families; empty if there is no such table.
    pub fn routes_of(&mut self, table: u32) -> Result<Vec<Route>, Error> {
        let query = RouteNetlinkMessage::GetRoute(route::query(table));
        let request = format_args!("ip route show table {table}");
        self.transport
            .list(&query, &request, |payload| Route::parse_of(table, payload))
    }

    /// The policy rules of all programs, of both families, each family's in the order in which the
    /// kernel goes through them.
    pub fn policy_rules(&mut self) -> Result<Vec<PolicyRule>, Error> {
        let query = RouteNetlinkMessage::GetRule(RuleMessage::default());
        self.transport
            .list(&query, &"ip rule show", PolicyRule::parse)
    }

    /// The neighbours on a link that have a valid hardware address.
    pub fn neighbours(&mut self, link: u32) -> Result<Vec<Neighbour>, Error> {
        let query = RouteNetlinkMessage::GetNeighbour(neighbour::query(link));
        self.transport.list(
            &query,
            &format_args!("ip neighbour show dev if{link}"),
            |payload| Ok(Neighbour::parse(payload)?.filter(|neighbour| neighbour.link == link)),
        )
    }

    /// The neighbour on a link with this address, if it has a valid hardware address. This avoids
    /// the listing, for which the kernel walks the neighbours of all links in all namespaces.
    pub fn neighbour(&mut self, link: u32, address: IpAddr) -> Result<Option<Neighbour>, Error> {
        let request = format!("ip neighbour get {address} dev if{link}");
        let query = RouteNetlinkMessage::GetNeighbour(neighbour::lookup(link, address));
        match self.transport.get(&query, &request, Neighbour::parse) {
            Err(error) if error.errno() == Some(Errno::ENOENT) => Ok(None),
            // Kernels before 5.0 have no single look-up.
            Err(error) if error.errno() == Some(Errno::EOPNOTSUPP) => {
                let all = self.neighbours(link)?;
                Ok(all
                    .into_iter()
                    .find(|neighbour| neighbour.address == address))
            }
            outcome => outcome,
        }
    }

    fn link(&mut self, query: LinkMessage, request: &impl Display) -> Result<Option<Link>, Error> {
        let query = RouteNetlinkMessage::GetLink(query);
        let parse = |payload: &[u8]| Link::parse(payload).map(Some);
        match self.transport.get(&query, request, parse) {
            Err(error) if error.errno() == Some(Errno::ENODEV) => Ok(None),
            outcome => outcome,
        }
    }

    /// Sends up to [`BATCH`] requests in one datagram. Only the last requests an acknowledgement:
    /// the kernel always reports refusals.
    fn apply_batch(
        &mut self,
        offset: usize,
        batch: &[NetlinkRequest],
        failures: &mut Vec<Error>,
        mut on_echo: impl FnMut(&[u8]),
    ) -> Result<(), Error> {
        let mut owners = Vec::with_capacity(BATCH);
        self.transport.begin();
        for (index, request) in batch.iter().enumerate() {
            for message in request.messages() {
                self.transport.queue(&message, request.flags());
                owners.push(index);
            }
        }
        self.transport.acknowledge();
        let outcome = self.transport.exchange(|Reply { index, body, .. }| {
            match body {
                Body::Payload(payload) => {
                    on_echo(payload);
                    return Ok(ControlFlow::Continue(()));
                }
                Body::Refused { errno, .. } if batch[owners[index]].is_done(errno) => {}
                Body::Refused { errno, message } => {
                    let index = owners[index];
                    let request = batch[index].to_string();
                    let index = offset + index;
                    failures.push(Error::Refused {
                        index,
                        request,
                        errno,
                        message,
                    });
                }
                Body::Done => {}
            }
            let last = index + 1 == owners.len();
            Ok(if last {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            })
        });
        outcome
            .map_err(|failure| failure.into_error(&format_args!("{} and what follows", batch[0])))
    }
}

/// The error of looking up what was just created. It must not be [`Error::Refused`], which would
/// mean that nothing was created.
fn uncertain(error: Error) -> Error {
    Error::Socket {
        doing: "find the created link",
        source: io::Error::other(error),
    }
}
