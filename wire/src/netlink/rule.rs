//! Policy rules: which table a packet is looked up in.

use std::fmt;
use std::net::IpAddr;

use rtnetlink::packet_route::AddressFamily;
use rtnetlink::packet_route::rule::{RuleAction, RuleAttribute, RuleMessage};

/// A rule for what comes from one address of this host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// The source address.
    pub from: IpAddr,
    /// The table to look the packet up in.
    pub table: u32,
    /// Its place among the rules, the smallest first; the main table has 32766.
    pub priority: u32,
}

impl Rule {
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
}

impl fmt::Display for Rule {
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
