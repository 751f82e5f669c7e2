//! The nftables socket: applies transactions and lists tables, chains and rules.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use nix::errno::Errno;
use rtnetlink::packet_core::DecodeError;
use rtnetlink::sys::protocols::NETLINK_NETFILTER;

use super::command::NftCommand;
use super::element::read_elements;
use super::message::{self, kind};
use super::numbers::{TABLE, chain, element, rule};
use super::types::{TableFamily, TableId};
use crate::netfilter::attributes::{Attributes, Received};
use crate::netlink::Error;
use crate::netlink::reply::{Body, Reply};
use crate::netlink::transport::Transport;
use crate::nft::listing::{
    self, BaseChain, ChainListing, FoundRule, RuleCounter, SetListing, TableListing,
};

/// How often reading a table is attempted while it keeps changing.
const READING_ATTEMPTS: u32 = 32;

/// `NFTA_GEN_ID`.
const GENERATION: u16 = 1;

/// A blocking nftables socket. It stays in the network namespace of the thread that opened it.
#[derive(Debug)]
pub struct NftSocket {
    transport: Transport,
}

impl NftSocket {
    /// Opens a socket in the network namespace of the calling thread.
    pub fn open() -> Result<Self, Error> {
        Ok(Self {
            transport: Transport::open(NETLINK_NETFILTER)?,
        })
    }

    /// Its netlink port; `None` before its first use.
    pub(super) fn port(&self) -> Option<u32> {
        self.transport.port()
    }

    /// The generation of the ruleset: every transaction of any program increments it.
    pub fn generation(&mut self) -> Result<u32, Error> {
        let request = "nft: get the generation";
        let (any, none) = (TableFamily::Other(0), Attributes::default());
        let query = message::new(kind::GET_GENERATION, any, none);
        let number = |payload: &[u8]| Ok(message::parts(payload).1.number(GENERATION));
        let found = self.transport.get(&query, &request, number)?;
        let missing = || DecodeError::from("no number in it");
        found.ok_or_else(|| Error::malformed(&request, &missing()))
    }

    /// Applies all commands in one atomic transaction. If a `generation` is given and is no longer
    /// current, nothing changes and the error is [`Error::Interrupted`].
    ///
    /// # Errors
    /// The first command that the kernel refused, with its position.
    pub fn apply(&mut self, commands: &[NftCommand], generation: Option<u32>) -> Result<(), Error> {
        if commands.is_empty() {
            return Ok(());
        }
        self.transport.begin();
        self.transport.queue(&message::begin(generation), 0);
        for (number, command) in (1..).zip(commands) {
            self.transport
                .queue(&command.message(number), command.flags());
        }
        self.transport.acknowledge();
        self.transport.queue(&message::end(), 0);
        self.transport.enlarge_send_buffer();
        let mut refused = None;
        // If many commands are refused, their replies do not fit into the receive buffer. The first
        // is there.
        let outcome = self
            .transport
            .exchange_with_losses(|Reply { index, body, .. }| {
                // The kernel replies to the begin message only if the whole transaction failed.
                let is_last = index == 0 || index == commands.len();
                if let Body::Refused { errno, message } = body {
                    refused.get_or_insert((index, errno, message));
                }
                Ok(if is_last {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                })
            });
        let first = &commands[0];
        let overrun = outcome
            .map_err(|failure| failure.into_error(&format_args!("nft {first} and what follows")))?;
        match refused {
            None => overrun.map_or(Ok(()), Err),
            Some((0, Errno::ERESTART, _)) => Err(Error::Interrupted {
                request: format!("nft {first} and what follows"),
                attempts: 1,
            }),
            Some((number, errno, message)) => {
                let index = number.saturating_sub(1);
                Err(Error::Refused {
                    index,
                    request: format!("nft {}", commands[index]),
                    errno,
                    message,
                })
            }
        }
    }

    /// A whole table, if it exists, and the generation it was read from.
    pub fn table(&mut self, table: &TableId) -> Result<(Option<TableListing>, u32), Error> {
        for _ in 0..READING_ATTEMPTS {
            let before = self.generation()?;
            let listing = match self.read_table(table) {
                // It was deleted while it was being read.
                Err(error) if error.errno() == Some(Errno::ENOENT) => None,
                outcome => outcome?,
            };
            if self.generation()? == before {
                return Ok((listing, before));
            }
        }
        Err(Error::Interrupted {
            request: format!("nft list table {table}"),
            attempts: READING_ATTEMPTS,
        })
    }

    /// A base chain; `None` if it does not exist.
    pub fn base_chain(&mut self, table: &TableId, name: &str) -> Result<Option<BaseChain>, Error> {
        let attributes = in_table(table).text(chain::NAME, name);
        let query = message::new(kind::GET_CHAIN, table.family, attributes);
        let request = format_args!("nft list chain {table} {name}");
        match self
            .transport
            .get(&query, &request, |payload| Ok(base_chain(payload)))
        {
            Err(error) if error.errno() == Some(Errno::ENOENT) => Ok(None),
            outcome => outcome,
        }
    }

    /// All base chains of all families. The time grows with the number of chains of any kind.
    pub fn base_chains(&mut self) -> Result<Vec<BaseChain>, Error> {
        let any = TableFamily::Other(0);
        let query = message::new(kind::GET_CHAIN, any, Attributes::default());
        self.transport.list(&query, &"nft list chains", |payload| {
            Ok(base_chain(payload))
        })
    }

    /// The rules of a chain, or of all chains of the table, in order; empty if it does not exist.
    pub fn rules(&mut self, table: &TableId, chain: Option<&str>) -> Result<Vec<FoundRule>, Error> {
        let attributes = match chain {
            Some(chain) => in_table(table).text(rule::CHAIN, chain),
            None => in_table(table),
        };
        let mut rules = self.list_in(table, kind::GET_RULE, attributes, listing::read_rule)?;
        // Kernels before 4.18 list the rules of other chains too.
        rules.retain(|rule| chain.is_none_or(|chain| rule.chain == chain));
        Ok(rules)
    }

    /// What the rules of a table with a counter have counted, in order; empty if it does not exist.
    /// Replacing a rule resets its counter.
    pub fn counters(&mut self, table: &TableId) -> Result<Vec<RuleCounter>, Error> {
        self.list_in(
            table,
            kind::GET_RULE,
            in_table(table),
            listing::read_counter,
        )
    }

    fn read_table(&mut self, table: &TableId) -> Result<Option<TableListing>, Error> {
        let query = message::new(kind::GET_TABLE, table.family, in_table(table));
        let request = format_args!("nft list table {table}");
        let read = |payload: &[u8]| {
            let (_, attributes) = message::parts(payload);
            Ok(Some(TableListing {
                flags: attributes.number(listing::TABLE_FLAGS).unwrap_or_default(),
                size: attributes.number(listing::TABLE_USE).unwrap_or_default(),
                ..TableListing::default()
            }))
        };
        let found = self.transport.get(&query, &request, read)?;
        let mut listed = found.unwrap_or_default();
        listed.sets = self.sets(table)?;
        let chains = self.list_in(table, kind::GET_CHAIN, in_table(table), listing::read_chain)?;
        listed.chains = chains.into_iter().collect();
        for rule in self.rules(table, None)? {
            let Some(chain) = listed.chains.get_mut(&rule.chain) else {
                continue;
            };
            chain.rules.push((rule.expressions, rule.comment));
        }
        Ok(Some(listed))
    }

    fn sets(&mut self, table: &TableId) -> Result<BTreeMap<String, SetListing>, Error> {
        let sets = self.list_in(table, kind::GET_SET, in_table(table), listing::read_set)?;
        let mut all: BTreeMap<_, _> = sets.into_iter().collect();
        for (name, set) in &mut all {
            let attributes = in_table(table).text(element::SET, name);
            let key_type = set.key_type;
            let read = |attributes: Received<'_>| Some(read_elements(attributes, key_type));
            let messages = self.list_in(table, kind::GET_ELEMENTS, attributes, read)?;
            set.elements = messages.into_iter().flatten().collect();
        }
        Ok(all)
    }

    /// The entries of a listing that belong to `table`; the kernel may list those of other tables
    /// too.
    fn list_in<T>(
        &mut self,
        table: &TableId,
        kind: u16,
        attributes: Attributes,
        read: impl Fn(Received<'_>) -> Option<T>,
    ) -> Result<Vec<T>, Error> {
        let query = message::new(kind, table.family, attributes);
        let request = format_args!("nft list table {table}");
        self.transport.list(&query, &request, |payload| {
            let (family, attributes) = message::parts(payload);
            let is_in = family == table.family && listing::table_name(attributes) == table.name;
            Ok(is_in.then(|| read(attributes)).flatten())
        })
    }
}

fn in_table(table: &TableId) -> Attributes {
    Attributes::default().text(TABLE, &table.name)
}

fn base_chain(payload: &[u8]) -> Option<BaseChain> {
    let (family, attributes) = message::parts(payload);
    let base_chain = |(name, listing): (String, ChainListing)| {
        Some(BaseChain {
            table: TableId::new(family, listing::table_name(attributes)),
            name,
            hook: listing.hook?,
            policy: listing.policy?,
            // No rule jumps to a base chain, so that its use count is the number of its rules.
            size: attributes.number(chain::USE).unwrap_or_default(),
        })
    };
    listing::read_chain(attributes).and_then(base_chain)
}
