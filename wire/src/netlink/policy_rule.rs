//! Policy rules of every program: what `ip rule show` lists.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use rtnetlink::packet_core::{DecodeError, Emitable, Parseable};
use rtnetlink::packet_route::rule::{RuleAction, RuleAttribute, RuleFlags, RuleHeader};

use super::attributes::{any, prefix, readable};

/// A policy rule, whichever program made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyRule {
    /// Its place among the rules of its family, the smallest first.
    pub priority: u32,
    /// Whether it takes the packets that its selectors do not match (`not`).
    pub inverted: bool,
    /// Which sources it takes; the prefix of length 0 for all.
    pub from: IpNet,
    /// Which destinations it takes; the prefix of length 0 for all.
    pub to: IpNet,
    /// The link by which a packet comes in; `lo` for packets of this host.
    pub iif: Option<String>,
    /// The link that a socket of this host is bound to.
    pub oif: Option<String>,
    /// The mark, and the bits of it that count.
    pub mark: Option<(u32, u32)>,
    /// Whether it looks at something else of a packet, such as a port or a user.
    pub looks_deeper: bool,
    /// What it does with a packet.
    pub action: PolicyAction,
    /// Routes with prefixes up to this length are passed over (`suppress_prefixlength`).
    pub suppress_prefix_length: Option<u32>,
}

/// What a [`PolicyRule`] does with a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicyAction {
    /// Looks for a route in this table (`RT_TABLE_*`).
    Lookup(u32),
    /// Looks for a route in the table of the VRF that the packet comes from.
    LookupVrf,
    /// Goes on with the rule of this priority.
    Goto(u32),
    /// Goes on with the next rule.
    Nop,
    /// Drops it (`FR_ACT_BLACKHOLE`).
    Blackhole,
    /// Answers that the network is unreachable (`FR_ACT_UNREACHABLE`).
    Unreachable,
    /// Answers that it is prohibited (`FR_ACT_PROHIBIT`).
    Prohibit,
}

impl PolicyRule {
    /// A rule as listed; `None` for one of neither IPv4 nor IPv6 unicast, or with an action that is
    /// not known.
    pub(super) fn parse(payload: &[u8]) -> Result<Option<Self>, DecodeError> {
        let header = RuleHeader::parse(payload)?;
        let Some(any) = any(header.family) else {
            return Ok(None);
        };
        let [mut from, mut to] = [any; 2];
        let (mut priority, mut table, mut target) = (0, u32::from(header.table), 0);
        let (mut iif, mut oif, mut mark, mut bits) = (None, None, 0, None);
        let (mut vrf, mut suppress) = (false, None);
        let mut looks_deeper = header.tos != 0;
        for attribute in readable(payload, header.buffer_len(), RuleAttribute::parse) {
            match attribute {
                RuleAttribute::Source(address) => from = address,
                RuleAttribute::Destination(address) => to = address,
                RuleAttribute::Priority(place) => priority = place,
                RuleAttribute::Table(number) => table = number,
                RuleAttribute::Goto(place) => target = place,
                RuleAttribute::Iifname(name) => iif = Some(name),
                RuleAttribute::Oifname(name) => oif = Some(name),
                RuleAttribute::FwMark(value) => mark = value,
                RuleAttribute::FwMask(value) => bits = Some(value),
                RuleAttribute::L3MDev(is_vrf) => vrf = is_vrf,
                // The kernel writes -1 for none.
                RuleAttribute::SuppressPrefixLen(length) => {
                    suppress = Some(length).filter(|it| *it != u32::MAX);
                }
                RuleAttribute::TunId(_)
                | RuleAttribute::UidRange(_)
                | RuleAttribute::IpProtocol(_)
                | RuleAttribute::SourcePortRange(_)
                | RuleAttribute::DestinationPortRange(_) => looks_deeper = true,
                _ => {}
            }
        }
        let action = match header.action {
            RuleAction::ToTable if vrf => PolicyAction::LookupVrf,
            RuleAction::ToTable => PolicyAction::Lookup(table),
            RuleAction::Goto => PolicyAction::Goto(target),
            RuleAction::Nop => PolicyAction::Nop,
            RuleAction::Blackhole => PolicyAction::Blackhole,
            RuleAction::Unreachable => PolicyAction::Unreachable,
            RuleAction::Prohibit => PolicyAction::Prohibit,
            _ => return Ok(None),
        };
        Ok(Some(Self {
            priority,
            inverted: header.flags.contains(RuleFlags::Invert),
            from: prefix(from, header.src_len)?,
            to: prefix(to, header.dst_len)?,
            iif,
            oif,
            mark: bits.filter(|bits| *bits != 0).map(|bits| (mark, bits)),
            looks_deeper,
            action,
            suppress_prefix_length: suppress,
        }))
    }

    /// The address and the table of a rule that does nothing but look up packets from one address.
    pub fn source_and_table(&self) -> Option<(IpAddr, u32)> {
        let PolicyAction::Lookup(table) = self.action else {
            return None;
        };
        let is_plain = self.iif.is_none() && self.oif.is_none() && self.mark.is_none();
        let is_one = self.from.prefix_len() == self.from.max_prefix_len();
        let is_of_source = is_one && self.to.prefix_len() == 0 && is_plain;
        is_of_source.then_some((self.from.addr(), table))
    }
}

/// A whole address without its length.
fn shown(prefix: IpNet) -> String {
    if prefix.prefix_len() == prefix.max_prefix_len() {
        prefix.addr().to_string()
    } else {
        prefix.to_string()
    }
}

/// As `ip rule show` writes it.
impl fmt::Display for PolicyRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.priority)?;
        if self.inverted {
            f.write_str(" not")?;
        }
        match self.from.prefix_len() {
            0 => f.write_str(" from all")?,
            _ => write!(f, " from {}", shown(self.from))?,
        }
        if self.to.prefix_len() > 0 {
            write!(f, " to {}", shown(self.to))?;
        }
        match self.mark {
            Some((mark, u32::MAX)) => write!(f, " fwmark {mark:#x}")?,
            Some((mark, bits)) => write!(f, " fwmark {mark:#x}/{bits:#x}")?,
            None => {}
        }
        for (word, name) in [("iif", &self.iif), ("oif", &self.oif)] {
            if let Some(name) = name {
                write!(f, " {word} {name}")?;
            }
        }
        match self.action {
            PolicyAction::Lookup(254) => f.write_str(" lookup main")?,
            PolicyAction::Lookup(255) => f.write_str(" lookup local")?,
            PolicyAction::Lookup(253) => f.write_str(" lookup default")?,
            PolicyAction::Lookup(table) => write!(f, " lookup {table}")?,
            PolicyAction::LookupVrf => f.write_str(" lookup [l3mdev-table]")?,
            PolicyAction::Goto(place) => write!(f, " goto {place}")?,
            PolicyAction::Nop => f.write_str(" nop")?,
            PolicyAction::Blackhole => f.write_str(" blackhole")?,
            PolicyAction::Unreachable => f.write_str(" unreachable")?,
            PolicyAction::Prohibit => f.write_str(" prohibit")?,
        }
        match self.suppress_prefix_length {
            Some(length) => write!(f, " suppress_prefixlength {length}"),
            None => Ok(()),
        }
    }
}
