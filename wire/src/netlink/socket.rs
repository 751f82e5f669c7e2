//! The socket that everything goes through.

use std::fmt::Display;
use std::io;
use std::net::IpAddr;
use std::ops::ControlFlow;
use std::slice;

use nix::errno::Errno;
use rtnetlink::packet_core::DecodeError;
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::packet_route::link::LinkMessage;
use rtnetlink::packet_route::route::RouteMessage;
use rtnetlink::packet_route::rule::RuleMessage;
use rtnetlink::sys::protocols::NETLINK_ROUTE;

use super::transport::Transport;
use super::{
    Address, Error, Fate, Link, Neighbour, Packet, PolicyRule, Request, Route, RouteFilter, Rule,
    VethPair, address, link, neighbour, route,
};
use crate::netlink::reply::Body;
use crate::netlink::reply::Reply;

/// Requests in one datagram. Every refusal takes room in the socket's receive buffer, and nobody
/// reads before all of them are there: more than about 128 could overrun it.
const BATCH: usize = 64;

/// A blocking netlink socket. It stays in the network namespace of the thread that opened it,
/// wherever it is used from.
#[derive(Debug)]
pub struct Socket {
    transport: Transport,
}

impl Socket {
    /// Opens a socket in the network namespace of the calling thread.
    pub fn open() -> Result<Self, Error> {
        Ok(Self {
            transport: Transport::open(NETLINK_ROUTE)?,
        })
    }

    /// The number by which the kernel tells it from other netlink sockets; none before it was used.
    pub(super) fn port(&self) -> Option<u32> {
        self.transport.port()
    }

    /// Carries out every request, in order, and returns the failures, in order. The kernel carries
    /// on after a request that it refuses.
    ///
    /// # Errors
    /// Only where the socket fails, so that nobody knows what was carried out.
    pub fn apply(&mut self, requests: &[Request]) -> Result<Vec<Error>, Error> {
        let mut failures = Vec::new();
        for (number, batch) in requests.chunks(BATCH).enumerate() {
            self.apply_batch(number * BATCH, batch, &mut failures, |_| {})?;
        }
        Ok(failures)
    }

    /// As [`Socket::apply`], with the first failure as the error.
    pub fn apply_all(&mut self, requests: &[Request]) -> Result<(), Error> {
        self.apply(requests)?.into_iter().next().map_or(Ok(()), Err)
    }

    /// Makes a veth pair and returns the indexes of its host end and of its peer, each in its own
    /// namespace.
    ///
    /// # Errors
    /// [`Error::Refused`] means that nothing was made; with any other, nobody knows.
    pub fn add_veth(&mut self, pair: &VethPair) -> Result<(u32, u32), Error> {
        let mut failures = Vec::new();
        let mut echo = None;
        let request = Request::AddVeth(pair.clone());
        let on_echo = |payload: &[u8]| echo = Link::parse(payload).ok();
        self.apply_batch(0, slice::from_ref(&request), &mut failures, on_echo)?;
        if let Some(failure) = failures.pop() {
            return Err(failure);
        }
        // Kernels before 6.2 do not echo what they created.
        let host = match echo {
            Some(link) => Some(link),
            None => self.link_by_name(&pair.name).map_err(unknown)?,
        };
        // A kernel may leave out the index of the other end where it equals this one's.
        host.map(|host| (host.index, host.link.unwrap_or(host.index)))
            .ok_or_else(|| Error::Refused {
                index: 0,
                request: request.to_string(),
                errno: Errno::ENODEV,
                message: Some("the link is gone again".to_owned()),
            })
    }

    /// The link of that name, if there is one.
    pub fn link_by_name(&mut self, name: &str) -> Result<Option<Link>, Error> {
        self.link(
            link::query(Some(name), 0),
            &format_args!("ip link show {name}"),
        )
    }

    /// The link of that index, if there is one.
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

    /// The addresses of a link, or of all.
    pub fn addresses(&mut self, link: Option<u32>) -> Result<Vec<Address>, Error> {
        let query = RouteNetlinkMessage::GetAddress(address::query(link.unwrap_or(0)));
        let wanted = |address: &Address| link.is_none_or(|link| link == address.link);
        self.transport.list(&query, &"ip address show", |payload| {
            Ok(Address::parse(payload)?.filter(wanted))
        })
    }

    /// The routes of the main table, of both families.
    pub fn routes(&mut self, filter: RouteFilter) -> Result<Vec<Route>, Error> {
        let query = RouteNetlinkMessage::GetRoute(filter.message());
        self.transport.list(&query, &"ip route show", |payload| {
            Ok(Route::parse(payload)?.filter(|route| filter.matches(route)))
        })
    }

    /// The routes of the table with that number, of both families; none where there is no such table.
    pub fn routes_of(&mut self, table: u32) -> Result<Vec<Route>, Error> {
        let query = RouteNetlinkMessage::GetRoute(route::query(table));
        let request = format_args!("ip route show table {table}");
        self.transport
            .list(&query, &request, |payload| Route::parse_of(table, payload))
    }

    /// The policy rules for what comes from one address of this host.
    pub fn rules(&mut self) -> Result<Vec<Rule>, Error> {
        let query = RouteNetlinkMessage::GetRule(RuleMessage::default());
        self.transport.list(&query, &"ip rule show", Rule::parse)
    }

    /// The policy rules of all programs, of both families, each family's in the order in which the
    /// kernel goes through them.
    pub fn policy_rules(&mut self) -> Result<Vec<PolicyRule>, Error> {
        let query = RouteNetlinkMessage::GetRule(RuleMessage::default());
        self.transport
            .list(&query, &"ip rule show", PolicyRule::parse)
    }

    /// The neighbours behind a link whose hardware address the kernel believes to know.
    pub fn neighbours(&mut self, link: u32) -> Result<Vec<Neighbour>, Error> {
        let query = RouteNetlinkMessage::GetNeighbour(neighbour::query(link));
        self.transport.list(
            &query,
            &format_args!("ip neighbour show dev if{link}"),
            |payload| Ok(Neighbour::parse(payload)?.filter(|neighbour| neighbour.link == link)),
        )
    }

    /// The neighbour behind a link that has this address, if the kernel believes to know its hardware
    /// address: without the listing, for which the kernel goes through the neighbours of all links of
    /// all namespaces.
    pub fn neighbour(&mut self, link: u32, address: IpAddr) -> Result<Option<Neighbour>, Error> {
        let request = format!("ip neighbour get {address} dev if{link}");
        let mut found = None;
        let query = RouteNetlinkMessage::GetNeighbour(neighbour::lookup(link, address));
        let outcome = self.transport.get(&query, &request, |payload| {
            found = Neighbour::parse(payload)?;
            Ok(())
        });
        match outcome {
            Ok(()) => Ok(found),
            Err(error) if error.errno() == Some(Errno::ENOENT) => Ok(None),
            // Kernels before 5.0 only list.
            Err(error) if error.errno() == Some(Errno::EOPNOTSUPP) => {
                let all = self.neighbours(link)?;
                Ok(all.into_iter().find(|there| there.address == address))
            }
            Err(error) => Err(error),
        }
    }

    /// The route a packet of this host to `dst` would take: its link, its next hop, its source.
    pub fn route_to(&mut self, dst: IpAddr) -> Result<Route, Error> {
        self.look_up(route::lookup_message(dst), &format!("ip route get {dst}"))
    }

    /// What the kernel would do with a packet: by its policy rules and tables, and for one that comes
    /// in by a link also by that link's settings.
    pub fn fate_of(&mut self, packet: Packet) -> Result<Fate, Error> {
        let request = format!("ip route get {packet}");
        let mut found = None;
        let query = RouteNetlinkMessage::GetRoute(packet.message());
        let outcome = self.transport.get(&query, &request, |payload| {
            found = Fate::parse(payload)?;
            Ok(())
        });
        match outcome {
            Err(Error::Refused { errno, .. }) => Ok(Fate::Dropped { errno }),
            Err(error) => Err(error),
            Ok(()) => found
                .ok_or_else(|| Error::malformed(&request, &DecodeError::from("no route in it"))),
        }
    }

    /// The link that has this address, if one has, with all of its addresses, without listing those
    /// of other links. Kernels before 4.15 do not tell.
    pub fn link_with(&mut self, address: IpAddr) -> Result<Option<(Link, Vec<Address>)>, Error> {
        let request = format!("ip route get fibmatch {address}");
        let local = match self.look_up(route::match_exactly(address), &request) {
            Err(Error::Refused { .. }) => return Ok(None),
            outcome => outcome?,
        };
        let Some(link) = local.dev.filter(|_| local.dst.addr() == address) else {
            return Ok(None);
        };
        let there = self.addresses(Some(link))?;
        if there.iter().any(|there| there.address.ip() == address) {
            Ok(self.link_by_index(link)?.map(|link| (link, there)))
        } else {
            Ok(None)
        }
    }

    fn look_up(&mut self, query: RouteMessage, request: &str) -> Result<Route, Error> {
        let mut found = None;
        let query = RouteNetlinkMessage::GetRoute(query);
        self.transport.get(&query, &request, |payload| {
            found = Route::parse_lookup(payload)?;
            Ok(())
        })?;
        found.ok_or_else(|| Error::malformed(&request, &DecodeError::from("no route in it")))
    }

    /// The route of the main table that decides where a packet of this host to `dst` goes, as
    /// listings have it. `None` where there is none, where a policy rule sends the packet to
    /// another table, and on kernels before 4.13.
    pub fn route_matching(&mut self, dst: IpAddr) -> Result<Option<Route>, Error> {
        let request = format!("ip route get fibmatch {dst}");
        let mut found = None;
        let outcome = self.transport.get(
            &RouteNetlinkMessage::GetRoute(route::match_exactly(dst)),
            &request,
            |payload| {
                found = Route::parse(payload)?;
                Ok(())
            },
        );
        match outcome {
            Err(Error::Refused { .. }) => Ok(None),
            outcome => outcome.map(|()| found),
        }
    }

    fn link(&mut self, query: LinkMessage, request: &impl Display) -> Result<Option<Link>, Error> {
        let mut found = None;
        let outcome =
            self.transport
                .get(&RouteNetlinkMessage::GetLink(query), request, |payload| {
                    found = Some(Link::parse(payload)?);
                    Ok(())
                });
        match outcome {
            Err(error) if error.errno() == Some(Errno::ENODEV) => Ok(None),
            outcome => outcome.map(|()| found),
        }
    }

    /// Sends up to [`BATCH`] requests in one datagram, of which only the last asks for an answer:
    /// refusals come unasked.
    fn apply_batch(
        &mut self,
        offset: usize,
        batch: &[Request],
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
        outcome.map_err(|failure| failure.of(&format_args!("{} and what follows", batch[0])))
    }
}

/// The error of a look-up of something that was made: it does not say that nothing was.
fn unknown(error: Error) -> Error {
    Error::Socket {
        doing: "find what was made",
        source: io::Error::other(error),
    }
}
