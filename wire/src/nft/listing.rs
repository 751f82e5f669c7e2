//! Tables as the kernel holds them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::nft::attributes::ITEM;
use crate::nft::attributes::Received;
use crate::nft::command::TABLE;
use crate::nft::command::chain;
use crate::nft::command::element;
use crate::nft::command::rule;
use crate::nft::command::set;
use crate::nft::expression::Expression;
use crate::nft::expression::Verdict;
use crate::nft::set::Element;
use crate::nft::table::Table;
use crate::nft::types::Hook;
use crate::nft::types::POLICY;
use crate::nft::types::TableId;

/// `NFTA_TABLE_FLAGS`, `NFTA_TABLE_USE`.
pub(super) const TABLE_FLAGS: u16 = 2;
pub(super) const TABLE_USE: u16 = 3;

/// A table as the kernel holds it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TableListing {
    /// Such as that it is switched off (`NFT_TABLE_F_*`); none with ours.
    pub flags: u32,
    /// How many things are in it, of all kinds.
    pub size: u32,
    /// Its sets, by name.
    pub sets: BTreeMap<String, SetListing>,
    /// Its chains, by name.
    pub chains: BTreeMap<String, ChainListing>,
}

/// A set as the kernel holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetListing {
    /// What kind of set (`NFT_SET_*`).
    pub flags: u32,
    /// What nft takes the elements for.
    pub key_type: u32,
    /// The elements.
    pub elements: BTreeSet<Element>,
}

/// A chain as the kernel holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainListing {
    /// Where the kernel calls it; none for a chain that others jump to.
    pub hook: Option<Hook>,
    /// What becomes of what no rule decided on.
    pub policy: Option<Verdict>,
    /// Its rules, in order: steps and comment.
    pub rules: Vec<(Vec<Expression>, Option<String>)>,
}

/// A chain that the kernel calls, without its rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseChain {
    /// In which table.
    pub table: TableId,
    /// Its name.
    pub name: String,
    /// Where it is called.
    pub hook: Hook,
    /// What becomes of what no rule decided on.
    pub policy: Verdict,
    /// How many rules it has.
    pub size: u32,
}

/// A rule as the kernel holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundRule {
    /// In which chain.
    pub chain: String,
    /// What it is known by.
    pub handle: u64,
    /// Its steps.
    pub expressions: Vec<Expression>,
    /// What is said of it, in the way of nft or in that of iptables.
    pub comment: Option<String>,
}

impl Table {
    /// What the kernel holds once the table is as it should be.
    pub fn expected_listing(&self) -> TableListing {
        let sets = self.sets.iter().map(|set| {
            let image = SetListing {
                flags: if set.has_ranges() { set::INTERVAL } else { 0 },
                key_type: set.version.type_number(),
                elements: set.elements(),
            };
            (set.name.clone(), image)
        });
        let chains = self.chains.iter().map(|chain| {
            let rules = chain.rules.iter();
            let steps = |rule: &super::Rule| rule.expressions(self.id.family);
            let image = ChainListing {
                hook: Some(chain.hook.clone()),
                policy: Some(POLICY),
                rules: rules
                    .map(|rule| (steps(rule), rule.comment.clone()))
                    .collect(),
            };
            (chain.name.clone(), image)
        });
        TableListing {
            flags: 0,
            size: u32::try_from(self.sets.len() + self.chains.len()).unwrap_or(u32::MAX),
            sets: sets.collect(),
            chains: chains.collect(),
        }
    }
}

/// The name of the table that something is in.
pub(super) fn table_name(attributes: Received<'_>) -> &str {
    attributes.text(TABLE).unwrap_or_default()
}

/// A set, without its elements.
pub(super) fn read_set(attributes: Received<'_>) -> Option<(String, SetListing)> {
    let image = SetListing {
        flags: attributes.number(set::FLAGS).unwrap_or_default(),
        key_type: attributes.number(set::KEY_TYPE)?,
        elements: BTreeSet::new(),
    };
    Some((attributes.text(set::NAME)?.to_owned(), image))
}

/// Elements of a set. Those that cannot be read are not ours and left out.
pub(super) fn read_elements(attributes: Received<'_>) -> Vec<Element> {
    let items = attributes.nested(element::LIST);
    let read = |item: Received<'_>| {
        let element = Element {
            address: address(item.nested(element::KEY).bytes(element::VALUE)?)?,
            is_end: item.number(element::FLAGS).unwrap_or_default() & element::END != 0,
        };
        // nft marks so that nothing before the first range is in the set.
        let is_mark = element.is_end && element.address.is_unspecified();
        (!is_mark).then_some(element)
    };
    items.all(ITEM).filter_map(read).collect()
}

fn address(octets: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(octets).map(Ipv4Addr::from);
    let v6 = <[u8; 16]>::try_from(octets).map(Ipv6Addr::from);
    v4.map(IpAddr::from).or(v6.map(IpAddr::from)).ok()
}

/// A chain, without its rules.
pub(super) fn read_chain(attributes: Received<'_>) -> Option<(String, ChainListing)> {
    let place = attributes.nested(chain::HOOK);
    let hook = place.number(chain::HOOK_NUMBER).map(|number| Hook {
        kind: attributes.text(chain::TYPE).unwrap_or_default().to_owned(),
        number,
        priority: place
            .number(chain::PRIORITY)
            .unwrap_or_default()
            .cast_signed(),
    });
    let image = ChainListing {
        hook,
        policy: attributes.number(chain::POLICY).and_then(Verdict::of),
        rules: Vec::new(),
    };
    Some((attributes.text(chain::NAME)?.to_owned(), image))
}

/// A rule.
pub(super) fn read_rule(attributes: Received<'_>) -> Option<FoundRule> {
    let steps = attributes.nested(rule::EXPRESSIONS).all(ITEM);
    let expressions: Vec<_> = steps.map(Expression::read).collect();
    let by_iptables = || {
        expressions.iter().find_map(|step| match step {
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

/// The comment among what nft keeps with a rule: types, lengths and values of a byte, a byte and
/// so many bytes.
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
mod tests {
    use super::*;

    #[test]
    fn a_comment_is_found_among_other_data() {
        for (data, expected) in [
            (&b"\x00\x05flat\x00"[..], Some("flat")),
            (b"\x01\x02ab\x00\x05flat\x00", Some("flat")),
            (b"\x01\x02ab", None),
            (b"\x00\x09flat\x00", None),
            (b"\x00", None),
            (b"", None),
        ] {
            assert_eq!(comment(data).as_deref(), expected, "{data:?}");
        }
    }
}
