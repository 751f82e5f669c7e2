//! nftables tables as the kernel lists them, and what it should list for a desired table.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::nft::attributes::{ITEM, Received};
use crate::nft::command::{TABLE, chain, element, rule, set};
use crate::nft::expression::{Expression, NftVerdict};
use crate::nft::set::Element;
use crate::nft::table::NftTable;
use crate::nft::types::{Hook, POLICY, TableId};

/// `NFTA_TABLE_FLAGS`, `NFTA_TABLE_USE`.
pub(super) const TABLE_FLAGS: u16 = 2;
pub(super) const TABLE_USE: u16 = 3;

/// A table as the kernel lists it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TableListing {
    /// Flags such as dormant (`NFT_TABLE_F_*`); 0 for ours.
    pub flags: u32,
    /// The number of objects in it, of all kinds.
    pub size: u32,
    /// Its sets, by name.
    pub sets: BTreeMap<String, SetListing>,
    /// Its chains, by name.
    pub chains: BTreeMap<String, ChainListing>,
}

/// A set as the kernel lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetListing {
    /// Its flags (`NFT_SET_*`).
    pub flags: u32,
    /// nft's data type of the elements.
    pub key_type: u32,
    /// The elements.
    pub elements: BTreeSet<Element>,
}

/// A chain as the kernel lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainListing {
    /// Its hook; `None` for a chain that other chains jump to.
    pub hook: Option<Hook>,
    /// The verdict on packets that no rule decides on.
    pub policy: Option<NftVerdict>,
    /// Its rules, in order: expressions and comment.
    pub rules: Vec<(Vec<Expression>, Option<String>)>,
}

/// A base chain, without its rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseChain {
    /// Its table.
    pub table: TableId,
    /// Its name.
    pub name: String,
    /// Its hook.
    pub hook: Hook,
    /// The verdict on packets that no rule decides on.
    pub policy: NftVerdict,
    /// The number of its rules.
    pub size: u32,
}

/// A rule as the kernel lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundRule {
    /// In which chain.
    pub chain: String,
    /// Its handle.
    pub handle: u64,
    /// Its expressions.
    pub expressions: Vec<Expression>,
    /// Its comment, as nft or iptables writes it.
    pub comment: Option<String>,
}

impl NftTable {
    /// What the kernel lists if the table is as desired.
    pub fn expected_listing(&self) -> TableListing {
        let sets = self.sets.iter().map(|set| {
            let listing = SetListing {
                flags: if set.has_ranges() { set::INTERVAL } else { 0 },
                key_type: set.version.type_number(),
                elements: set.elements(),
            };
            (set.name.clone(), listing)
        });
        let chains = self.chains.iter().map(|chain| {
            let rules = chain.rules.iter();
            let expressions = |rule: &super::NftRule| rule.expressions(self.id.family);
            let listing = ChainListing {
                hook: Some(chain.hook.clone()),
                policy: Some(POLICY),
                rules: rules
                    .map(|rule| (expressions(rule), rule.comment.clone()))
                    .collect(),
            };
            (chain.name.clone(), listing)
        });
        TableListing {
            flags: 0,
            size: u32::try_from(self.sets.len() + self.chains.len()).unwrap_or(u32::MAX),
            sets: sets.collect(),
            chains: chains.collect(),
        }
    }
}

/// The name of the table that an object belongs to.
pub(super) fn table_name(attributes: Received<'_>) -> &str {
    attributes.text(TABLE).unwrap_or_default()
}

/// Parses a set, without its elements.
pub(super) fn read_set(attributes: Received<'_>) -> Option<(String, SetListing)> {
    let listing = SetListing {
        flags: attributes.number(set::FLAGS).unwrap_or_default(),
        key_type: attributes.number(set::KEY_TYPE)?,
        elements: BTreeSet::new(),
    };
    Some((attributes.text(set::NAME)?.to_owned(), listing))
}

/// Parses elements of a set. Those that cannot be parsed are not ours and are left out.
pub(super) fn read_elements(attributes: Received<'_>) -> Vec<Element> {
    let items = attributes.nested(element::LIST);
    let read = |item: Received<'_>| {
        let element = Element {
            address: address(item.nested(element::KEY).bytes(element::VALUE)?)?,
            is_end: item.number(element::FLAGS).unwrap_or_default() & element::END != 0,
        };
        // nft adds an end element at address 0 if the first range does not start there.
        let is_start_marker = element.is_end && element.address.is_unspecified();
        (!is_start_marker).then_some(element)
    };
    items.all(ITEM).filter_map(read).collect()
}

fn address(octets: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(octets).map(Ipv4Addr::from);
    let v6 = <[u8; 16]>::try_from(octets).map(Ipv6Addr::from);
    v4.map(IpAddr::from).or(v6.map(IpAddr::from)).ok()
}

/// Parses a chain, without its rules.
pub(super) fn read_chain(attributes: Received<'_>) -> Option<(String, ChainListing)> {
    let hook_attributes = attributes.nested(chain::HOOK);
    let hook = hook_attributes
        .number(chain::HOOK_NUMBER)
        .map(|number| Hook {
            kind: attributes.text(chain::TYPE).unwrap_or_default().to_owned(),
            number,
            priority: hook_attributes
                .number(chain::PRIORITY)
                .unwrap_or_default()
                .cast_signed(),
        });
    let listing = ChainListing {
        hook,
        policy: attributes.number(chain::POLICY).and_then(NftVerdict::of),
        rules: Vec::new(),
    };
    Some((attributes.text(chain::NAME)?.to_owned(), listing))
}

/// Parses a rule.
pub(super) fn read_rule(attributes: Received<'_>) -> Option<FoundRule> {
    let steps = attributes.nested(rule::EXPRESSIONS).all(ITEM);
    let expressions: Vec<_> = steps.map(Expression::read).collect();
    let by_iptables = || {
        expressions.iter().find_map(|expression| match expression {
            Expression::Comment(text) => Some(text.clone()),
            _ => None,
        })
    };
    let by_nft = attributes.bytes(rule::USER_DATA).and_then(comment);
    Some(FoundRule {
        chain: attributes.text(rule::CHAIN)?.to_owned(),
        handle: attributes.long(rule::HANDLE)?,
        comment: by_nft.or_else(by_iptables),
        expressions,
    })
}

/// The comment in the user data of a rule: records of type (one byte), length (one byte) and value.
fn comment(mut data: &[u8]) -> Option<String> {
    loop {
        let [kind, length, rest @ ..] = data else {
            return None;
        };
        let (value, rest) = rest.split_at_checked(usize::from(*length))?;
        if *kind == rule::COMMENT {
            let text = value.strip_suffix(&[0]).unwrap_or(value);
            return String::from_utf8(text.to_vec()).ok();
        }
        data = rest;
    }
}

#[cfg(test)]
mod tests;
