//! Commands of an nftables transaction: add and delete tables, sets, chains and rules.

use std::fmt;

use rtnetlink::packet_core::{NLM_F_APPEND, NLM_F_CREATE};

use super::element::Elements;
use super::encoding::{chain_attributes, rule_attributes, set_attributes};
use super::message::{self, kind};
use super::numbers::{TABLE, chain, rule, set};
use super::rule::NftRule;
use super::set::NftSet;
use super::types::{Hook, TableId};
use crate::netfilter::attributes::Attributes;
use crate::netfilter::message::NfnetlinkMessage;

/// A change to a table. It prints as the nft command that does the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NftCommand {
    /// Creates a table unless it exists.
    AddTable(TableId),
    /// Deletes a table with its content.
    DelTable(TableId),
    /// Creates an empty set or verdict map.
    AddSet {
        /// The table.
        table: TableId,
        /// The set; its members are ignored.
        set: NftSet,
    },
    /// Deletes a set or verdict map with its elements; it is an error if a rule uses it.
    DelSet {
        /// The table.
        table: TableId,
        /// The name of the set.
        set: String,
    },
    /// Adds elements to a set; existing ones are ignored. The verdict of an existing key cannot be
    /// changed so: delete the element before, in the same transaction.
    AddElements(Elements),
    /// Removes elements from a set; it is an error if one is missing.
    DelElements(Elements),
    /// Creates a base chain with policy accept, or a chain that others jump to.
    AddChain {
        /// The table.
        table: TableId,
        /// The name of the chain.
        chain: String,
        /// Its hook, if it is a base chain.
        hook: Option<Hook>,
    },
    /// Deletes all rules of a chain.
    FlushChain {
        /// The table.
        table: TableId,
        /// The name of the chain.
        chain: String,
    },
    /// Deletes a chain with its rules; it is an error if a rule or an element jumps to it.
    DelChain {
        /// The table.
        table: TableId,
        /// The name of the chain.
        chain: String,
    },
    /// Adds a rule at the end of a chain, or before another rule.
    AddRule {
        /// The table.
        table: TableId,
        /// The chain.
        chain: String,
        /// The handle of the rule to put it before.
        before: Option<u64>,
        /// The rule.
        rule: NftRule,
    },
    /// Deletes a rule.
    DelRule {
        /// The table.
        table: TableId,
        /// The chain.
        chain: String,
        /// Its handle.
        handle: u64,
    },
}

impl NftCommand {
    /// Its message; `number` is unique within the transaction.
    pub(super) fn message(&self, number: u32) -> NfnetlinkMessage {
        let none = Attributes::default;
        let (kind, table, attributes) = match self {
            Self::AddTable(table) => (kind::NEW_TABLE, table, none()),
            Self::DelTable(table) => (kind::DEL_TABLE, table, none()),
            Self::AddSet { table, set } => (kind::NEW_SET, table, set_attributes(set, number)),
            Self::DelSet { table, set } => (kind::DEL_SET, table, none().text(set::NAME, set)),
            Self::AddElements(portion) => {
                (kind::NEW_ELEMENTS, &portion.table, portion.attributes())
            }
            Self::DelElements(portion) => {
                (kind::DEL_ELEMENTS, &portion.table, portion.attributes())
            }
            Self::AddChain { table, chain, hook } => {
                let attributes = chain_attributes(chain, hook.as_ref());
                (kind::NEW_CHAIN, table, attributes)
            }
            // Without a handle it is about all rules of the chain.
            Self::FlushChain { table, chain } => {
                (kind::DEL_RULE, table, none().text(rule::CHAIN, chain))
            }
            Self::DelChain { table, chain } => {
                (kind::DEL_CHAIN, table, none().text(chain::NAME, chain))
            }
            Self::AddRule {
                table,
                chain,
                before,
                rule,
            } => {
                let in_chain = none().text(rule::CHAIN, chain);
                let placed = match before {
                    Some(handle) => in_chain.long(rule::POSITION, *handle),
                    None => in_chain,
                };
                (kind::NEW_RULE, table, rule_attributes(placed, rule, table))
            }
            Self::DelRule {
                table,
                chain,
                handle,
            } => {
                let in_chain = none().text(rule::CHAIN, chain);
                (kind::DEL_RULE, table, in_chain.long(rule::HANDLE, *handle))
            }
        };
        message::new(kind, table.family, attributes.text(TABLE, &table.name))
    }

    pub(super) fn flags(&self) -> u16 {
        match self {
            Self::AddRule { before: None, .. } => NLM_F_CREATE | NLM_F_APPEND,
            Self::AddTable(_)
            | Self::AddSet { .. }
            | Self::AddElements(_)
            | Self::AddChain { .. }
            | Self::AddRule { .. } => NLM_F_CREATE,
            Self::DelTable(_)
            | Self::DelSet { .. }
            | Self::DelElements(_)
            | Self::FlushChain { .. }
            | Self::DelChain { .. }
            | Self::DelRule { .. } => 0,
        }
    }
}

impl fmt::Display for NftCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AddTable(table) => write!(f, "add table {table}"),
            Self::DelTable(table) => write!(f, "delete table {table}"),
            Self::AddSet { table, set } if set.has_verdicts() => {
                write!(f, "add map {table} {}", set.name)
            }
            Self::AddSet { table, set } => write!(f, "add set {table} {}", set.name),
            Self::DelSet { table, set } => write!(f, "delete set {table} {set}"),
            Self::AddElements(elements) => write!(f, "add element {elements}"),
            Self::DelElements(elements) => write!(f, "delete element {elements}"),
            Self::AddChain { table, chain, hook } => match hook {
                Some(hook) => write!(f, "add chain {table} {chain} {{ {hook}; }}"),
                None => write!(f, "add chain {table} {chain}"),
            },
            Self::FlushChain { table, chain } => write!(f, "flush chain {table} {chain}"),
            Self::DelChain { table, chain } => write!(f, "delete chain {table} {chain}"),
            Self::AddRule {
                table,
                chain,
                before,
                rule,
            } => match before {
                Some(handle) => {
                    write!(f, "insert rule {table} {chain} position {handle} {rule}")
                }
                None => write!(f, "add rule {table} {chain} {rule}"),
            },
            Self::DelRule {
                table,
                chain,
                handle,
            } => write!(f, "delete rule {table} {chain} handle {handle}"),
        }
    }
}
