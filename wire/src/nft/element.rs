//! Elements of sets and verdict maps.

use std::fmt;

use super::key::{ElementKey, KeyType};
use super::numbers::{data, element};
use super::types::TableId;
use super::verdict::NftVerdict;
use crate::netfilter::attributes::{Attributes, ITEM, Received};

/// Elements per command.
const MAX_ELEMENTS: usize = 1_000;

/// In bytes. The elements of a command are in one attribute, which holds at most 64 KiB.
const MAX_LENGTH: usize = 60_000;

/// Elements that the text of a command shows.
const MAX_SHOWN_ELEMENTS: usize = 3;

/// An element in the kernel: a single key, the start of a range, or the address after the end of a
/// range; in a verdict map with its verdict.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Element {
    /// The key.
    pub key: ElementKey,
    /// Whether it ends a range.
    pub is_end: bool,
    /// The verdict, in a verdict map.
    pub verdict: Option<NftVerdict>,
}

impl Element {
    /// An element of a set: a single key, or the start of a range.
    pub fn new(key: impl Into<ElementKey>) -> Self {
        Self {
            key: key.into(),
            is_end: false,
            verdict: None,
        }
    }

    /// The end of a range: the address after it.
    pub fn end(key: impl Into<ElementKey>) -> Self {
        Self {
            is_end: true,
            ..Self::new(key)
        }
    }

    /// An element of a verdict map.
    pub fn with_verdict(key: impl Into<ElementKey>, verdict: NftVerdict) -> Self {
        Self {
            verdict: Some(verdict),
            ..Self::new(key)
        }
    }

    fn attributes(&self) -> Attributes {
        let key = Attributes::default().bytes(data::VALUE, &self.key.bytes());
        let item = Attributes::default().nest(element::KEY, &key);
        let item = match &self.verdict {
            Some(verdict) => item.nest(element::DATA, &verdict.data()),
            None => item,
        };
        if self.is_end {
            item.number(element::FLAGS, element::END)
        } else {
            item
        }
    }

    /// Parses it; `None` if it is not of ours.
    fn read(item: Received<'_>, key_type: KeyType) -> Option<Self> {
        let key = item.nested(element::KEY).bytes(data::VALUE)?;
        let element = Self {
            key: key_type.parse(key)?,
            is_end: item.number(element::FLAGS).unwrap_or_default() & element::END != 0,
            verdict: NftVerdict::of_data(item.nested(element::DATA)),
        };
        // nft adds an end element at 0 if the first range does not start there.
        let is_start_marker = element.is_end && key.iter().all(|byte| *byte == 0);
        (!is_start_marker).then_some(element)
    }
}

/// Parses elements of a set. Those that cannot be parsed are not ours and are left out.
pub(super) fn read_elements(attributes: Received<'_>, key_type: u32) -> Vec<Element> {
    let Some(key_type) = KeyType::of(key_type) else {
        return Vec::new();
    };
    let items = attributes.nested(element::LIST).all(ITEM);
    items
        .filter_map(|item| Element::read(item, key_type))
        .collect()
}

/// Elements of a set, not more than fit into one command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Elements {
    pub(super) table: TableId,
    set: String,
    portion: Vec<Element>,
}

impl Elements {
    /// Elements of the set with that name in `table`, in as many portions as commands are needed.
    pub fn in_portions<'a>(
        table: &'a TableId,
        set: &'a str,
        mut all: &'a [Element],
    ) -> impl Iterator<Item = Self> {
        std::iter::from_fn(move || {
            let mut space = MAX_LENGTH;
            let fits = |element: &&Element| {
                let room = space.checked_sub(element.attributes().as_bytes().len() + 4);
                space = room.unwrap_or_default();
                room.is_some()
            };
            let count = all.iter().take(MAX_ELEMENTS).take_while(fits).count();
            let (portion, rest) = all.split_at(count);
            all = rest;
            (count > 0).then(|| Self {
                table: table.clone(),
                set: set.to_owned(),
                portion: portion.to_vec(),
            })
        })
    }

    pub(super) fn attributes(&self) -> Attributes {
        let mut items = Attributes::default();
        for element in &self.portion {
            items = items.nest(ITEM, &element.attributes());
        }
        Attributes::default()
            .text(element::SET, &self.set)
            .nest(element::LIST, &items)
    }
}

impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.key.fmt(f)?;
        match &self.verdict {
            Some(verdict) => write!(f, " : {verdict}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Elements {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.portion.iter().take(MAX_SHOWN_ELEMENTS);
        let mut words: Vec<_> = shown.map(ToString::to_string).collect();
        if self.portion.len() > MAX_SHOWN_ELEMENTS {
            words.push(format!("... {} in all", self.portion.len()));
        }
        write!(f, "{} {} {{ {} }}", self.table, self.set, words.join(", "))
    }
}

#[cfg(test)]
mod tests;
