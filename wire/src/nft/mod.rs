//! The kernel's packet filter, nftables, without the program `nft`.
//!
//! What is wanted is said as a person would write it ([`Table`], [`Rule`], [`Term`]) and prints as
//! `nft --stateless list table` would print it. [`Table::replacement`] makes the kernel hold that;
//! [`Table::image`] is what the kernel then lists ([`Socket::table`]), so that the two can be
//! compared.

mod attributes;
mod command;
mod expression;
mod image;
mod mentions;
mod message;
mod monitor;
mod rule;
mod set;
mod socket;
mod table;

pub use command::Command;
pub use expression::{Expression, Layer, Verdict};
pub use image::{BaseChain, ChainImage, FoundRule, Image, SetImage};
pub use mentions::prefixes;
pub use monitor::{Monitor, News};
pub use rule::{End, Rule, Term, Way};
pub use set::{Element, Members, Range, Set, Version};
pub use socket::Socket;
pub use table::{Chain, Family, Hook, Table, TableId};
