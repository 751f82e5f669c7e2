//! The kernel's packet filter, nftables, without the program `nft`.
//!
//! What is wanted is said as a person would write it ([`Table`], [`Rule`], [`Term`]) and prints as
//! `nft --stateless list table` would print it. [`Table::replace_commands`] makes the kernel hold that;
//! [`Table::expected_listing`] is what the kernel then lists ([`Socket::table`]), so that the two can be
//! compared.

mod attributes;
mod command;
mod expression;
mod inspect;
mod listing;
mod message;
mod monitor;
mod rule;
mod set;
mod socket;
mod table;
mod types;

pub use command::Command;
pub use expression::{Expression, Layer, Verdict};
pub use inspect::prefixes;
pub use listing::{BaseChain, ChainListing, FoundRule, SetListing, TableListing};
pub use monitor::{Monitor, RulesetChange};
pub use rule::{AddressField, Direction, Rule, Term};
pub use set::{Element, Members, Range, Set, Version};
pub use socket::Socket;
pub use table::{Chain, Table};
pub use types::{Family, Hook, TableId};
