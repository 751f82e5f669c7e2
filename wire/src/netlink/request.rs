//! Requests that change the network state of the kernel.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use nix::errno::Errno;
use rtnetlink::LinkUnspec;
use rtnetlink::packet_core::{NLM_F_CREATE, NLM_F_ECHO, NLM_F_EXCL, NLM_F_REPLACE};
use rtnetlink::packet_route::RouteNetlinkMessage;

use super::{
    Address, LinkChange, Neighbour, Route, SourceRule, Token, VethPair, link, neighbour, route,
};

/// One change to the kernel's network state. It prints as the iproute2 command that does the same;
/// a link known by its index N reads `ifN`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NetlinkRequest {
    /// Creates a veth pair; it is an error if the host end exists.
    AddVeth(VethPair),
    /// Changes a link. If that brings it up, the settings apply before the first packet.
    ChangeLink {
        /// Which link.
        index: u32,
        /// What to change.
        change: LinkChange,
    },
    /// Deletes a link; with a veth also its other end.
    DelLink {
        /// Which link.
        index: u32,
    },
    /// Deletes a link known by its name.
    DelLinkNamed {
        /// Which link.
        name: String,
    },
    /// Deletes all links of a device group at once, so that the kernel waits once for all of them.
    /// It is an error if there is none (`ENODEV`).
    DelLinkGroup {
        /// The group; not 0, which is the default group of all links.
        group: u32,
    },
    /// Adds an address; it is an error if the link has it already.
    AddAddress(Address),
    /// Removes an address.
    DelAddress(Address),
    /// Adds a route; it is an error if there is one to the same prefix with the same metric.
    AddRoute(Route),
    /// Adds a route, or atomically replaces the one with the same prefix and metric: there is no
    /// moment without a route.
    ///
    /// A route to the same prefix with another metric stays; delete it afterwards. IPv4 replaces
    /// only the first route of that prefix and metric, IPv6 prefers the one with the same kind of
    /// next hop.
    ReplaceRoute(Route),
    /// Adds a route to a table other than the main one.
    AddRouteIn {
        /// The table's number, greater than 255.
        table: u32,
        /// The route.
        route: Route,
    },
    /// Adds a rule that sends packets to a table.
    AddRule(SourceRule),
    /// Removes a route that has exactly these properties.
    DelRoute(Route),
    /// Removes the route to `ff00::/8` that the kernel adds for each link with IPv6
    /// (`addrconf_add_mroute`), without which the node receives no multicast from the link. It is
    /// no error if there is none.
    DelMulticastRoute {
        /// Which link.
        link: u32,
    },
    /// Adds a neighbour, or changes the hardware address of an existing one.
    AddNeighbour(Neighbour),
    /// Sets the longest time for which a link delays a proxy ARP reply (default 0.8 s), with a
    /// resolution of a millisecond.
    SetProxyDelay {
        /// Which link.
        link: u32,
        /// How long.
        delay: Duration,
    },
    /// Sets the token of a link.
    SetToken(Token),
    /// Removes a neighbour.
    DelNeighbour(Neighbour),
    /// Makes the kernel ask the network for a neighbour, as if a packet were to be sent there
    /// (`NTF_USE`).
    ProbeNeighbour {
        /// Which link.
        link: u32,
        /// The neighbour's address.
        address: IpAddr,
    },
    /// Makes the kernel process a carrier change of a link now. Otherwise it does so some
    /// milliseconds later, on a busy machine many, and drops what is sent until then. A request for
    /// the link triggers it (`linkwatch_sync_dev` in `rtnl_getlink`, from Linux 6.8).
    NoticeCarrier {
        /// Which link.
        link: u32,
    },
}

impl NetlinkRequest {
    /// Its messages, in order; most requests have one.
    pub(super) fn messages(&self) -> impl Iterator<Item = RouteNetlinkMessage> {
        use RouteNetlinkMessage as M;
        let mut second = None;
        let first = match self {
            Self::AddVeth(pair) => M::NewLink(pair.message()),
            Self::ChangeLink { index, change } => {
                let (first, last) = change.messages(*index);
                second = last.map(M::SetLink);
                M::SetLink(first)
            }
            Self::DelLink { index } => M::DelLink(LinkUnspec::new_with_index(*index).build()),
            Self::DelLinkNamed { name } => M::DelLink(LinkUnspec::new_with_name(name).build()),
            Self::DelLinkGroup { group } => M::DelLink(link::group(*group)),
            Self::AddAddress(address) => M::NewAddress(address.message()),
            Self::DelAddress(address) => M::DelAddress(address.message()),
            Self::AddRoute(route) | Self::ReplaceRoute(route) => M::NewRoute(route.message()),
            Self::AddRouteIn { table, route } => M::NewRoute(route.message_in(*table)),
            Self::AddRule(rule) => M::NewRule(rule.message()),
            Self::DelRoute(route) => M::DelRoute(route.delete_message()),
            Self::DelMulticastRoute { link } => M::DelRoute(route::multicast(*link)),
            Self::AddNeighbour(neighbour) => M::NewNeighbour(neighbour.message()),
            Self::SetProxyDelay { link, delay } => {
                let message = neighbour::set_proxy_delay(*link, *delay);
                M::SetNeighbourTable(message)
            }
            Self::SetToken(token) => M::SetLink(token.message()),
            Self::DelNeighbour(neighbour) => M::DelNeighbour(neighbour.message()),
            Self::ProbeNeighbour { link, address } => {
                M::NewNeighbour(neighbour::probe(*link, *address))
            }
            Self::NoticeCarrier { link } => M::GetLink(link::query(None, *link)),
        };
        [first].into_iter().chain(second)
    }

    /// Whether this error means that there was nothing to do.
    pub(super) fn is_done(&self, errno: Errno) -> bool {
        matches!(self, Self::DelMulticastRoute { .. }) && errno == Errno::ESRCH
    }

    pub(super) fn flags(&self) -> u16 {
        match self {
            Self::AddVeth(_) => NLM_F_CREATE | NLM_F_EXCL | NLM_F_ECHO,
            Self::AddAddress(_)
            | Self::AddRoute(_)
            | Self::AddRouteIn { .. }
            | Self::AddRule(_) => NLM_F_CREATE | NLM_F_EXCL,
            Self::ReplaceRoute(_) | Self::AddNeighbour(_) => NLM_F_CREATE | NLM_F_REPLACE,
            Self::ProbeNeighbour { .. } => NLM_F_CREATE,
            _ => 0,
        }
    }
}

impl fmt::Display for NetlinkRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AddVeth(pair) => pair.fmt(f),
            Self::ChangeLink { index, change } => write!(f, "ip link set if{index}{change}"),
            Self::DelLink { index } => write!(f, "ip link del if{index}"),
            Self::DelLinkNamed { name } => write!(f, "ip link del {name}"),
            Self::DelLinkGroup { group } => write!(f, "ip link del group {group}"),
            Self::AddAddress(address) => write!(f, "ip address add {address}"),
            Self::DelAddress(address) => write!(f, "ip address del {address}"),
            Self::AddRoute(route) => write!(f, "ip route add {route}"),
            Self::ReplaceRoute(route) => write!(f, "ip route replace {route}"),
            Self::AddRouteIn { table, route } => write!(f, "ip route add {route} table {table}"),
            Self::AddRule(rule) => write!(f, "ip rule add {rule}"),
            Self::DelRoute(route) => write!(f, "ip route del {route}"),
            Self::DelMulticastRoute { link } => {
                write!(
                    f,
                    "ip route del multicast ff00::/8 dev if{link} table local"
                )
            }
            Self::AddNeighbour(neighbour) => write!(f, "ip neighbour replace {neighbour}"),
            Self::SetProxyDelay { link, delay } => {
                let delay = neighbour::milliseconds(*delay);
                write!(
                    f,
                    "ip ntable change name arp_cache dev if{link} proxy_delay {delay}"
                )
            }
            Self::SetToken(token) => token.fmt(f),
            Self::DelNeighbour(neighbour) => write!(f, "ip neighbour del {neighbour}"),
            Self::ProbeNeighbour { link, address } => {
                write!(f, "ip neighbour add {address} dev if{link} use")
            }
            Self::NoticeCarrier { link } => write!(f, "ip link show if{link}"),
        }
    }
}
