//! What the kernel would do with a packet: `ip route get`, for packets of this host and for
//! packets that come in by a link.

use std::fmt;
use std::net::IpAddr;

use nix::errno::Errno;
use rtnetlink::packet_core::DecodeError;
use rtnetlink::packet_route::route::{RouteAttribute, RouteFlags, RouteMessage, RouteType};

use super::{Route, lookup_message};

/// A packet, as far as policy rules and routes look at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet {
    /// Its destination.
    pub dst: IpAddr,
    /// Its source; without one the kernel chooses it, as for a socket that is not bound.
    pub src: Option<IpAddr>,
    /// Index of the link it comes in by; `None` for a packet that this host sends.
    pub iif: Option<u32>,
    /// Its mark (`SO_MARK`, or what the packet filter sets); 0 for none.
    pub mark: u32,
}

/// What the kernel does with a [`Packet`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// Sends it on.
    Forward {
        /// The route it takes. Its destination is the packet's own.
        route: Route,
        /// The table that has the route (`RT_TABLE_*`).
        table: u32,
    },
    /// Delivers it to a socket of this host.
    Local,
    /// Drops it, or answers with an ICMP error.
    Dropped {
        /// What `ip route get` would print as the reason: `EHOSTUNREACH` where the link that it
        /// comes in by does not forward IPv4 (`ip_route_input_slow` in `net/ipv4/route.c`), `EXDEV`
        /// or `EINVAL` where `rp_filter` refuses its source, `ENETUNREACH` where no route leads
        /// there, or the error of an `unreachable`, `blackhole` or `prohibit` route.
        errno: Errno,
    },
}

impl Packet {
    /// A packet of this host.
    pub fn to(dst: IpAddr) -> Self {
        Self {
            dst,
            src: None,
            iif: None,
            mark: 0,
        }
    }

    /// A packet that comes in by a link.
    pub fn through(iif: u32, src: IpAddr, dst: IpAddr) -> Self {
        Self {
            src: Some(src),
            iif: Some(iif),
            ..Self::to(dst)
        }
    }

    pub(in crate::netlink) fn message(self) -> RouteMessage {
        let mut message = lookup_message(self.dst);
        if self.dst.is_ipv4() {
            // Without it IPv4 names the main table, whichever has the route. IPv6 names the right
            // one, and refuses the flag (`inet6_rtm_valid_getroute_req` in `net/ipv6/route.c`).
            message.header.flags = RouteFlags::LookupTable;
        }
        let attributes = &mut message.attributes;
        if let Some(src) = self.src {
            message.header.source_prefix_length = message.header.destination_prefix_length;
            attributes.push(RouteAttribute::Source(src.into()));
        }
        attributes.extend(self.iif.map(RouteAttribute::Iif));
        if self.mark != 0 {
            attributes.push(RouteAttribute::Mark(self.mark));
        }
        message
    }
}

/// As arguments of `ip route get`.
impl fmt::Display for Packet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.dst)?;
        if let Some(src) = self.src {
            write!(f, " from {src}")?;
        }
        if let Some(iif) = self.iif {
            write!(f, " iif if{iif}")?;
        }
        if self.mark != 0 {
            write!(f, " mark {:#x}", self.mark)?;
        }
        Ok(())
    }
}

impl Fate {
    /// Reads the answer; `None` if it is not about a route.
    pub(in crate::netlink) fn parse(payload: &[u8]) -> Result<Option<Self>, DecodeError> {
        let Some((route, header, table)) = Route::parse_any(payload)? else {
            return Ok(None);
        };
        // IPv6 answers with the route where IPv4 answers with its error.
        let refused = |errno| Some(Self::Dropped { errno });
        Ok(match header.kind {
            RouteType::Local | RouteType::Anycast | RouteType::Multicast | RouteType::Broadcast => {
                Some(Self::Local)
            }
            RouteType::Unreachable => refused(Errno::EHOSTUNREACH),
            RouteType::BlackHole => refused(Errno::EINVAL),
            RouteType::Prohibit => refused(Errno::EACCES),
            _ => Some(Self::Forward { route, table }),
        })
    }
}
