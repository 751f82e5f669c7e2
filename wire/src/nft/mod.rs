//! nftables over netlink, without the program `nft`.
//!
//! A desired [`Table`] has rules made of [`Term`]s and prints as `nft --stateless list table` does.
//! [`Table::replace_commands`] installs it; [`Table::expected_listing`] is what the kernel then
//! lists ([`Socket::table`]), so that the two can be compared.

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

pub use command::{Command, Elements};
pub use expression::{Expression, Layer, Verdict};
pub use inspect::prefixes;
pub use listing::{BaseChain, ChainListing, FoundRule, SetListing, TableListing};
pub use monitor::{Monitor, RulesetChange};
pub use rule::{AddressField, Direction, Rule, Term};
pub use set::{Element, Members, Range, Set, Version};
pub use socket::Socket;
pub use table::{Chain, Table};
pub use types::{Family, Hook, TableId};
