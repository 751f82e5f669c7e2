//! Policy routing rules: which table a packet is looked up in (ip-rule(8)).

use std::fmt;
use std::net::IpAddr;

use rtnetlink::packet_core::{DecodeError, Emitable, Parseable};
use rtnetlink::packet_route::AddressFamily;
use rtnetlink::packet_route::rule::{RuleAction, RuleAttribute, RuleHeader, RuleMessage};

use super::attributes::readable;

/// A rule for packets from one address of this host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceRule {
    /// The source address.
    pub from: IpAddr,
    /// The number of the routing table.
    pub table: u32,
    /// Rules are evaluated in ascending order; the rule of the main table has 32766.
    pub priority: u32,
}

impl SourceRule {
    pub(super) fn message(&self) -> RuleMessage {
        let mut message = RuleMessage::default();
        (message.header.family, message.header.src_len) = match self.from {
            IpAddr::V4(_) => (AddressFamily::Inet, 32),
            IpAddr::V6(_) => (AddressFamily::Inet6, 128),
        };
        message.header.action = RuleAction::ToTable;
        message.attributes = vec![
            RuleAttribute::Source(self.from),
            RuleAttribute::Table(self.table),
            RuleAttribute::Priority(self.priority),
            RuleAttribute::Protocol(crate::ROUTE_PROTOCOL.into()),
        ];
        message
    }

    /// A rule as listed; `None` for one that matches anything but a whole source address, or has
    /// another action than a table look-up.
    pub(super) fn parse(payload: &[u8]) -> Result<Option<Self>, DecodeError> {
        let header = RuleHeader::parse(payload)?;
        let (mut from, mut table, mut priority) = (None, u32::from(header.table), 0);
        for attribute in readable(payload, header.buffer_len(), RuleAttribute::parse) {
            match attribute {
                RuleAttribute::Source(address) => from = Some(address),
                RuleAttribute::Table(number) => table = number,
                RuleAttribute::Priority(number) => priority = number,
                RuleAttribute::Destination(_)
                | RuleAttribute::Iifname(_)
                | RuleAttribute::Oifname(_)
                | RuleAttribute::FwMark(_) => return Ok(None),
                _ => {}
            }
        }
        let is_whole = |from: &IpAddr| header.src_len == if from.is_ipv4() { 32 } else { 128 };
        let from = from.filter(|from| header.action == RuleAction::ToTable && is_whole(from));
        Ok(from.map(|from| Self {
            from,
            table,
            priority,
        }))
    }
}

impl fmt::Display for SourceRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let family = if self.from.is_ipv6() { "-6 " } else { "" };
        let Self {
            from,
            table,
            priority,
        } = self;
        write!(
            f,
            "{family}from {from} lookup {table} priority {priority} protocol "
        )?;
        write!(f, "{}", crate::ROUTE_PROTOCOL)
    }
}
