//! Commands of an nftables transaction: add and delete tables, sets, chains and rules.

use std::fmt;

use rtnetlink::packet_core::{NLM_F_APPEND, NLM_F_CREATE};

use super::attributes::{Attributes, ITEM};
use super::message::{Message, kind};
use super::rule::{NftRule, octets};
use super::set::{Element, NftSet};
use super::types::{Hook, POLICY, TableId};

/// Elements per command: this many surely fit into one attribute, which holds at most 64 KiB.
const MAX_ELEMENTS: usize = 1_000;

/// Elements that the text of a command shows.
const MAX_SHOWN_ELEMENTS: usize = 3;

/// `NFTA_TABLE_NAME`; sets, chains, rules and elements have the same number for their table.
pub(super) const TABLE: u16 = 1;

/// `NFTA_SET_*`.
pub(super) mod set {
    pub(in super::super) const NAME: u16 = 2;
    pub(in super::super) const FLAGS: u16 = 3;
    pub(in super::super) const KEY_TYPE: u16 = 4;
    pub(in super::super) const KEY_LENGTH: u16 = 5;
    pub(in super::super) const ID: u16 = 10;

    /// `NFT_SET_INTERVAL`.
    pub(in super::super) const INTERVAL: u32 = 4;
}

/// `NFTA_SET_ELEM_LIST_*`, `NFTA_SET_ELEM_*`, `NFTA_DATA_VALUE`.
pub(super) mod element {
    pub(in super::super) const SET: u16 = 2;
    pub(in super::super) const LIST: u16 = 3;
    pub(in super::super) const KEY: u16 = 1;
    pub(in super::super) const FLAGS: u16 = 3;
    pub(in super::super) const VALUE: u16 = 1;

    /// `NFT_SET_ELEM_INTERVAL_END`.
    pub(in super::super) const END: u32 = 1;
}

/// `NFTA_CHAIN_*`, `NFTA_HOOK_*`.
pub(super) mod chain {
    pub(in super::super) const NAME: u16 = 3;
    pub(in super::super) const HOOK: u16 = 4;
    pub(in super::super) const POLICY: u16 = 5;
    pub(in super::super) const USE: u16 = 6;
    pub(in super::super) const TYPE: u16 = 7;
    pub(in super::super) const HOOK_NUMBER: u16 = 1;
    pub(in super::super) const PRIORITY: u16 = 2;
}

/// `NFTA_RULE_*`, and `NFTNL_UDATA_RULE_COMMENT` of libnftnl.
pub(super) mod rule {
    pub(in super::super) const CHAIN: u16 = 2;
    pub(in super::super) const HANDLE: u16 = 3;
    pub(in super::super) const EXPRESSIONS: u16 = 4;
    pub(in super::super) const POSITION: u16 = 6;
    pub(in super::super) const USER_DATA: u16 = 7;
    pub(in super::super) const COMMENT: u8 = 0;
}

/// A change to a table. It prints as the nft command that does the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NftCommand {
    /// Creates a table unless it exists.
    AddTable(TableId),
    /// Deletes a table with its content.
    DelTable(TableId),
    /// Creates an empty set.
    AddSet {
        /// The table.
        table: TableId,
        /// The set; its members are ignored.
        set: NftSet,
    },
    /// Adds elements to a set; existing ones are ignored.
    AddElements(Elements),
    /// Removes elements from a set; it is an error if one is missing.
    DelElements(Elements),
    /// Creates a base chain with policy accept.
    AddChain {
        /// The table.
        table: TableId,
        /// The name of the chain.
        chain: String,
        /// Its hook.
        hook: Hook,
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

/// Elements of a set, not more than fit into one command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Elements {
    table: TableId,
    set: String,
    portion: Vec<Element>,
}

impl Elements {
    /// Elements of the set with that name in `table`, in as many portions as commands are needed.
    pub fn in_portions(table: &TableId, set: &str, all: &[Element]) -> impl Iterator<Item = Self> {
        all.chunks(MAX_ELEMENTS).map(|portion| Self {
            table: table.clone(),
            set: set.to_owned(),
            portion: portion.to_vec(),
        })
    }
}

impl NftCommand {
    /// Its message; `number` is unique within the transaction.
    pub(super) fn message(&self, number: u32) -> Message {
        let none = Attributes::default;
        let (kind, table, attributes) = match self {
            Self::AddTable(table) => (kind::NEW_TABLE, table, none()),
            Self::DelTable(table) => (kind::DEL_TABLE, table, none()),
            Self::AddSet { table, set } => (kind::NEW_SET, table, set_attributes(set, number)),
            Self::AddElements(elements) => (kind::NEW_ELEMENTS, &elements.table, list(elements)),
            Self::DelElements(elements) => (kind::DEL_ELEMENTS, &elements.table, list(elements)),
            Self::AddChain { table, chain, hook } => {
                (kind::NEW_CHAIN, table, chain_attributes(chain, hook))
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
        let attributes = attributes.text(TABLE, &table.name);
        Message::new(kind, table.family, attributes)
    }

    pub(super) fn flags(&self) -> u16 {
        match self {
            Self::DelTable(_) | Self::DelElements(_) | Self::DelRule { .. } => 0,
            Self::AddRule { before: None, .. } => NLM_F_CREATE | NLM_F_APPEND,
            _ => NLM_F_CREATE,
        }
    }
}

fn set_attributes(set: &NftSet, number: u32) -> Attributes {
    let flags = if set.has_ranges() { set::INTERVAL } else { 0 };
    Attributes::default()
        .text(set::NAME, &set.name)
        .number(set::FLAGS, flags)
        .number(set::KEY_TYPE, set.version.type_number())
        .number(set::KEY_LENGTH, set.version.length())
        .number(set::ID, number)
}

fn list(Elements { set, portion, .. }: &Elements) -> Attributes {
    let mut items = Attributes::default();
    for element in portion {
        let key = Attributes::default().bytes(element::VALUE, &octets(element.address));
        let item = Attributes::default().nest(element::KEY, &key);
        let item = if element.is_end {
            item.number(element::FLAGS, element::END)
        } else {
            item
        };
        items = items.nest(ITEM, &item);
    }
    Attributes::default()
        .text(element::SET, set)
        .nest(element::LIST, &items)
}

fn chain_attributes(name: &str, hook: &Hook) -> Attributes {
    let place = Attributes::default()
        .number(chain::HOOK_NUMBER, hook.number)
        .number(chain::PRIORITY, hook.priority.cast_unsigned());
    Attributes::default()
        .text(chain::NAME, name)
        .nest(chain::HOOK, &place)
        .number(chain::POLICY, POLICY.code())
        .text(chain::TYPE, &hook.kind)
}

fn rule_attributes(attributes: Attributes, rule: &NftRule, table: &TableId) -> Attributes {
    let mut expressions = Attributes::default();
    for expression in rule.expressions(table.family) {
        expressions = expressions.nest(ITEM, &expression.attributes());
    }
    let attributes = attributes.nest(rule::EXPRESSIONS, &expressions);
    match &rule.comment {
        Some(text) => attributes.bytes(rule::USER_DATA, &comment(text)),
        None => attributes,
    }
}

/// The user data of a comment, as nft and iptables-nft write it: type, length, zero-terminated
/// text.
fn comment(text: &str) -> Vec<u8> {
    let length = u8::try_from(text.len() + 1).expect("comments are short");
    [&[rule::COMMENT, length], text.as_bytes(), &[0]].concat()
}

impl fmt::Display for NftCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AddTable(table) => write!(f, "add table {table}"),
            Self::DelTable(table) => write!(f, "delete table {table}"),
            Self::AddSet { table, set } => write!(f, "add set {table} {}", set.name),
            Self::AddElements(elements) => write!(f, "add element {elements}"),
            Self::DelElements(elements) => write!(f, "delete element {elements}"),
            Self::AddChain { table, chain, hook } => {
                write!(f, "add chain {table} {chain} {{ {hook}; }}")
            }
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

impl fmt::Display for Elements {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.portion.iter().take(MAX_SHOWN_ELEMENTS);
        let mut words: Vec<_> = shown.map(|element| element.address.to_string()).collect();
        if self.portion.len() > MAX_SHOWN_ELEMENTS {
            words.push(format!("... {} in all", self.portion.len()));
        }
        write!(f, "{} {} {{ {} }}", self.table, self.set, words.join(", "))
    }
}
