//! The token of a link: the interface identifier of its IPv6 addresses.

use std::fmt;
use std::net::Ipv6Addr;

use rtnetlink::packet_core::{DecodeError, Emitable, NlasIterator};
use rtnetlink::packet_route::link::{
    AfSpecInet6, AfSpecUnspec, LinkAttribute, LinkHeader, LinkMessage,
};
use rtnetlink::{LinkMessageBuilder, LinkUnspec};

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

    /// The token in a message about a link; `None` if the link has no IPv6.
    pub(super) fn parse(payload: &[u8]) -> Result<Option<Ipv6Addr>, DecodeError> {
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
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ip token set {} dev if{}", self.token, self.link)
    }
}
