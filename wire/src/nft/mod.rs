//! nftables over netlink, without the program `nft`.
//!
//! A desired [`NftTable`] has rules made of [`Term`]s and prints as `nft --stateless list table`
//! does. [`NftTable::replace_commands`] installs it; [`NftTable::expected_listing`] is what the
//! kernel then lists ([`NftSocket::table`]), so that the two can be compared.

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

pub use command::{Elements, NftCommand};
pub use expression::{Expression, Layer, NftVerdict};
pub use inspect::prefixes;
pub use listing::{BaseChain, ChainListing, FoundRule, SetListing, TableListing};
pub use monitor::{NftMonitor, RulesetChange};
pub use rule::{AddressField, Direction, NftRule, Term};
pub use set::{Element, IpVersion, Members, NftSet, Range};
pub use socket::NftSocket;
pub use table::{NftChain, NftTable};
pub use types::{Hook, TableFamily, TableId};
