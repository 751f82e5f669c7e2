//! Asks the routers of a link for an advertisement, with the rights of `CAP_NET_ADMIN` alone.

use std::fmt;
use std::net::Ipv6Addr;

use rtnetlink::packet_core::{DecodeError, Emitable, NlasIterator};
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::packet_route::link::{
    AfSpecInet6, AfSpecUnspec, LinkAttribute, LinkHeader, LinkMessage,
};
use rtnetlink::{LinkMessageBuilder, LinkUnspec};

use super::{Error, NetlinkRequest, NetlinkSocket, link};

/// `IFLA_AF_SPEC`, `AF_INET6`, `IFLA_INET6_TOKEN` (`include/uapi/linux/if_link.h`).
const AF_SPEC: u16 = 26;
const INET6: u16 = 10;
const TOKEN: u16 = 7;

/// A change of the token of a link: the interface identifier of its IPv6 addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token {
    /// Index of the link.
    pub link: u32,
    /// The token; `::` for none.
    pub token: Ipv6Addr,
}

impl Token {
    pub(super) fn message(self) -> LinkMessage {
        let settings = vec![AfSpecInet6::Token(self.token)];
        let change: LinkMessageBuilder<LinkUnspec> = LinkUnspec::new_with_index(self.link);
        change
            .append_extra_attribute(LinkAttribute::AfSpecUnspec(vec![AfSpecUnspec::Inet6(
                settings,
            )]))
            .build()
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ip token set {} dev if{}", self.token, self.link)
    }
}

impl NetlinkSocket {
    /// Makes the kernel send a router solicitation by a link that accepts router advertisements. It
    /// does so for a new token (`inet6_set_iftoken`), which is taken back in the same breath, before an
    /// advertisement can arrive. A link that has a token keeps it, and is not changed.
    ///
    /// # Errors
    /// The kernel refused it: the link has no IPv6 or sends no solicitations, or the kernel is too old
    /// to take a token back.
    pub fn solicit_routers(&mut self, link: u32) -> Result<(), Error> {
        if self
            .token(link)?
            .is_none_or(|token| !token.is_unspecified())
        {
            return Ok(());
        }
        let set = |token| NetlinkRequest::SetToken(Token { link, token });
        let (new, none) = (set(Ipv6Addr::LOCALHOST), set(Ipv6Addr::UNSPECIFIED));
        // Changes nothing, and shows that a token can be taken back.
        self.apply_all(std::slice::from_ref(&none))?;
        self.apply_all(&[new, none])
    }

    /// The token of a link that has IPv6.
    fn token(&mut self, index: u32) -> Result<Option<Ipv6Addr>, Error> {
        let query = RouteNetlinkMessage::GetLink(link::query(None, index));
        let request = format_args!("ip token show dev if{index}");
        self.transport.get(&query, &request, parse)
    }
}

fn parse(payload: &[u8]) -> Result<Option<Ipv6Addr>, DecodeError> {
    let start = LinkHeader::parse(payload)?.buffer_len();
    let attributes = payload.get(start..).unwrap_or_default().to_vec();
    let token = [AF_SPEC, INET6, TOKEN]
        .into_iter()
        .try_fold(attributes, |inner, kind| {
            let mut attributes = NlasIterator::new(&inner[..]).map_while(Result::ok);
            let found = attributes.find(|attribute| attribute.kind() == kind)?;
            Some(found.value().to_vec())
        });
    Ok(token.and_then(|token| Some(Ipv6Addr::from(<[u8; 16]>::try_from(token).ok()?))))
}
