//! Questions to the kernel about one packet or address: which route it takes, and what becomes of it.

use std::net::IpAddr;

use rtnetlink::packet_core::DecodeError;
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::packet_route::route::RouteMessage;

use super::{Address, Error, Fate, Link, NetlinkSocket, Packet, Route, route};

impl NetlinkSocket {
    /// The route that a packet from this host to `dst` takes: its link, next hop and source
    /// address.
    pub fn route_to(&mut self, dst: IpAddr) -> Result<Route, Error> {
        self.lookup_route(route::lookup_message(dst), &format!("ip route get {dst}"))
    }

    /// What the kernel would do with a packet: by its policy rules and tables, and for one that comes
    /// in by a link also by that link's settings.
    pub fn fate_of(&mut self, packet: Packet) -> Result<Fate, Error> {
        let request = format!("ip route get {packet}");
        let query = RouteNetlinkMessage::GetRoute(packet.message());
        match self.transport.get(&query, &request, Fate::parse) {
            Err(Error::Refused { errno, .. }) => Ok(Fate::Dropped { errno }),
            outcome => outcome?.ok_or_else(|| no_route(&request)),
        }
    }

    /// The link that has this address, with all of its addresses; `None` if no link has it. It does
    /// not list other links' addresses. Kernels before 4.15 always give `None`.
    pub fn link_with(&mut self, address: IpAddr) -> Result<Option<(Link, Vec<Address>)>, Error> {
        let request = format!("ip route get fibmatch {address}");
        let local = match self.lookup_route(route::match_exactly(address), &request) {
            Err(Error::Refused { .. }) => return Ok(None),
            outcome => outcome?,
        };
        let Some(link) = local.dev.filter(|_| local.dst.addr() == address) else {
            return Ok(None);
        };
        let addresses = self.addresses(Some(link))?;
        if addresses.iter().any(|found| found.address.ip() == address) {
            Ok(self.link_by_index(link)?.map(|link| (link, addresses)))
        } else {
            Ok(None)
        }
    }

    fn lookup_route(&mut self, query: RouteMessage, request: &str) -> Result<Route, Error> {
        let query = RouteNetlinkMessage::GetRoute(query);
        let found = self.transport.get(&query, &request, Route::parse_lookup)?;
        found.ok_or_else(|| no_route(request))
    }

    /// The entry of the main table that a packet from this host to `dst` matches, as in a listing.
    /// `None` if there is none, if a policy rule sends the packet to another table, and on kernels
    /// before 4.13.
    pub fn route_matching(&mut self, dst: IpAddr) -> Result<Option<Route>, Error> {
        let request = format!("ip route get fibmatch {dst}");
        let query = RouteNetlinkMessage::GetRoute(route::match_exactly(dst));
        match self.transport.get(&query, &request, Route::parse) {
            Err(Error::Refused { .. }) => Ok(None),
            outcome => outcome,
        }
    }
}

fn no_route(request: &str) -> Error {
    Error::malformed(&request, &DecodeError::from("no route in it"))
}
