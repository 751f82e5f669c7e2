//! Asks the routers of a link for an advertisement, with the rights of `CAP_NET_ADMIN` alone.

use std::net::Ipv6Addr;

use rtnetlink::packet_route::RouteNetlinkMessage;

use super::{Error, NetlinkRequest, NetlinkSocket, Token, link};

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
        self.transport.get(&query, &request, Token::parse)
    }
}
