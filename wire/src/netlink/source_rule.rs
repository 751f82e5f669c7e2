//! Policy routing rules: which table a packet is looked up in (ip-rule(8)).

use std::fmt;
use std::net::IpAddr;

use rtnetlink::packet_route::rule::{RuleAction, RuleAttribute, RuleMessage};

use super::attributes::family;

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
        message.header.family = family(self.from);
        message.header.src_len = if self.from.is_ipv4() { 32 } else { 128 };
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
