//! nftables tables as the kernel lists them, and what it should list for a desired table.

use std::collections::{BTreeMap, BTreeSet};

use super::element::Element;
use super::expression::{self, Expression};
use super::numbers::{TABLE, chain, rule, set};
use super::table::NftTable;
use super::types::{Hook, POLICY, TableId};
use super::user_data;
use super::verdict::NftVerdict;
use crate::netfilter::attributes::{ITEM, Received};

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
    /// nft's data type of the keys.
    pub key_type: u32,
    /// The type of the values of a map (`NFT_DATA_*` or nft's data type).
    pub data_type: Option<u32>,
    /// Its comment.
    pub comment: Option<String>,
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

/// What a rule has counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleCounter {
    /// In which chain.
    pub chain: String,
    /// The comment of the rule.
    pub comment: Option<String>,
    /// Packets.
    pub packets: u64,
    /// Bytes of these packets, from their IP headers on.
    pub bytes: u64,
}

impl NftTable {
    /// What the kernel lists if the table is as desired.
    pub fn expected_listing(&self) -> TableListing {
        let sets = self.sets.iter().map(|set| {
            let listing = SetListing {
                flags: set.flags(),
                key_type: set.key_type().number(),
                data_type: set.has_verdicts().then_some(set::VERDICTS),
                comment: set.fitting_comment().map(str::to_owned),
                elements: set.elements(),
            };
            (set.name.clone(), listing)
        });
        let chains = self.chains.iter().map(|chain| {
            let rules = chain.rules.iter();
            let expressions = |rule: &super::NftRule| rule.expressions(self.id.family);
            let comment = |rule: &super::NftRule| rule.fitting_comment().map(str::to_owned);
            let listing = ChainListing {
                hook: chain.hook.clone(),
                policy: chain.hook.as_ref().map(|_| POLICY),
                rules: rules
                    .map(|rule| (expressions(rule), comment(rule)))
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
        data_type: attributes.number(set::DATA_TYPE),
        comment: attributes
            .bytes(set::USER_DATA)
            .and_then(|data| user_data::comment(set::COMMENT, data)),
        elements: BTreeSet::new(),
    };
    Some((attributes.text(set::NAME)?.to_owned(), listing))
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
        policy: attributes
            .number(chain::POLICY)
            .and_then(|code| NftVerdict::of(code, None)),
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
    let by_nft = attributes
        .bytes(rule::USER_DATA)
        .and_then(|data| user_data::comment(rule::COMMENT, data));
    Some(FoundRule {
        chain: attributes.text(rule::CHAIN)?.to_owned(),
        handle: attributes.long(rule::HANDLE)?,
        comment: by_nft.or_else(by_iptables),
        expressions,
    })
}

/// Parses the counter of a rule; `None` if it has none.
pub(super) fn read_counter(attributes: Received<'_>) -> Option<RuleCounter> {
    let mut steps = attributes.nested(rule::EXPRESSIONS).all(ITEM);
    let (packets, bytes) = steps.find_map(expression::counts)?;
    let FoundRule { chain, comment, .. } = read_rule(attributes)?;
    Some(RuleCounter {
        chain,
        comment,
        packets,
        bytes,
    })
}
