//! nftables over netlink, without the program `nft`.
//!
//! A desired [`NftTable`] has rules made of [`Term`]s and prints as `nft --stateless list table`
//! does. [`NftTable::replace_commands`] installs it; [`NftTable::expected_listing`] is what the
//! kernel then lists ([`NftSocket::table`]), so that the two can be compared.

mod command;
mod element;
mod encoding;
mod expression;
mod inspect;
mod ip_version;
mod key;
mod listing;
mod message;
mod monitor;
mod numbers;
mod rule;
mod set;
mod socket;
mod table;
mod types;
mod user_data;
mod verdict;

pub use command::NftCommand;
pub use element::{Element, Elements};
pub use expression::{Expression, Layer, Register};
pub use inspect::prefixes;
pub use ip_version::IpVersion;
pub use key::{ElementKey, LinkName};
pub use listing::{BaseChain, ChainListing, FoundRule, RuleCounter, SetListing, TableListing};
pub use monitor::{NftMonitor, RulesetChange};
pub use rule::{AddressField, ConnectionState, Direction, NftRule, Term};
pub use set::{Members, NftSet, Range};
pub use socket::NftSocket;
pub use table::{NftChain, NftTable};
pub use types::{Hook, TableFamily, TableId};
pub use verdict::NftVerdict;
