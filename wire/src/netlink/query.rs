//! Queries: one object (get), or all entries of a table (list).

use std::fmt::Display;
use std::ops::ControlFlow;

use nix::errno::Errno;
use rtnetlink::packet_core::{DecodeError, NLM_F_DUMP, NetlinkSerializable};

use super::Error;
use super::transport::Transport;
use crate::netlink::reply::Body;

/// How often a listing is attempted while the table keeps changing. The tables of a busy node
/// change all the time, but a listing takes well under a millisecond.
const LISTING_ATTEMPTS: u32 = 32;

/// The entries of a table.
#[derive(Debug)]
pub struct Listing<T> {
    /// The entries. If the table changed during each attempt, they are those of all attempts: some
    /// are there several times, and some are gone. An entry that was there all the time is missing
    /// only if each attempt missed it.
    pub entries: Vec<T>,
    /// Whether the table changed during each attempt.
    pub changed: bool,
    /// The number of attempts.
    pub attempts: u32,
}

impl Transport {
    /// Requests one object; `None` if the kernel answers without one, or with one that is not
    /// understood.
    pub(crate) fn get<T>(
        &mut self,
        query: &impl NetlinkSerializable,
        request: &impl Display,
        decode: impl Fn(&[u8]) -> Result<Option<T>, DecodeError>,
    ) -> Result<Option<T>, Error> {
        let (mut found, mut refused) = (None, None);
        self.begin();
        self.queue(query, 0);
        let outcome = self.exchange(|answer| {
            match answer.body {
                Body::Payload(payload) => found = decode(payload)?,
                Body::Refused { errno, message } => refused = Some((errno, message)),
                Body::Done => {}
            }
            Ok(ControlFlow::Break(()))
        });
        outcome.map_err(|failure| failure.into_error(request))?;
        refused.map_or(Ok(found), |refusal| Err(refusal_of(request, refusal)))
    }

    /// Applies one request that has no other reply than its acknowledgement.
    pub(crate) fn apply(
        &mut self,
        message: &impl NetlinkSerializable,
        request: &impl Display,
    ) -> Result<(), Error> {
        let mut refused = None;
        self.begin();
        self.queue(message, 0);
        self.acknowledge();
        let outcome = self.exchange(|answer| {
            if let Body::Refused { errno, message } = answer.body {
                refused = Some((errno, message));
            }
            Ok(ControlFlow::Break(()))
        });
        outcome.map_err(|failure| failure.into_error(request))?;
        refused.map_or(Ok(()), |refusal| Err(refusal_of(request, refusal)))
    }

    /// Lists a table, again if it changed meanwhile.
    pub(crate) fn list<T>(
        &mut self,
        query: &impl NetlinkSerializable,
        request: &impl Display,
        decode: impl Fn(&[u8]) -> Result<Option<T>, DecodeError>,
    ) -> Result<Vec<T>, Error> {
        for _ in 0..LISTING_ATTEMPTS {
            let (entries, changed) = self.list_once(query, request, &decode)?;
            if !changed {
                return Ok(entries);
            }
        }
        Err(Error::Interrupted {
            request: request.to_string(),
            attempts: LISTING_ATTEMPTS,
        })
    }

    /// Lists a table once and passes each entry to `on_entry`. If the table changes meanwhile, an
    /// entry may be passed twice or not at all.
    pub(crate) fn list_each(
        &mut self,
        query: &impl NetlinkSerializable,
        request: &impl Display,
        mut on_entry: impl FnMut(&[u8]),
    ) -> Result<(), Error> {
        let mut refused = None;
        self.begin();
        self.queue(query, NLM_F_DUMP);
        let outcome = self.exchange(|answer| {
            match answer.body {
                Body::Payload(payload) => {
                    on_entry(payload);
                    return Ok(ControlFlow::Continue(()));
                }
                Body::Refused { errno, message } => refused = Some((errno, message)),
                Body::Done => {}
            }
            Ok(ControlFlow::Break(()))
        });
        outcome.map_err(|failure| failure.into_error(request))?;
        refused.map_or(Ok(()), |refusal| Err(refusal_of(request, refusal)))
    }

    /// Lists a table in at most `attempts` attempts. If it changed during each, the listing has what
    /// any of them found.
    pub(crate) fn list_within<T>(
        &mut self,
        attempts: u32,
        query: &impl NetlinkSerializable,
        request: &impl Display,
        decode: impl Fn(&[u8]) -> Result<Option<T>, DecodeError>,
    ) -> Result<Listing<T>, Error> {
        let mut found = Vec::new();
        for attempt in 1..=attempts {
            let (entries, changed) = self.list_once(query, request, &decode)?;
            if !changed {
                return Ok(Listing {
                    entries,
                    changed,
                    attempts: attempt,
                });
            }
            found.extend(entries);
        }
        Ok(Listing {
            entries: found,
            changed: true,
            attempts,
        })
    }

    /// The entries, and whether the table changed meanwhile: then some may be missing.
    fn list_once<T>(
        &mut self,
        query: &impl NetlinkSerializable,
        request: &impl Display,
        decode: impl Fn(&[u8]) -> Result<Option<T>, DecodeError>,
    ) -> Result<(Vec<T>, bool), Error> {
        let (mut entries, mut changed, mut refused) = (Ok(Vec::new()), false, None);
        self.begin();
        self.queue(query, NLM_F_DUMP);
        let outcome = self.exchange(|answer| {
            changed |= answer.interrupted;
            match answer.body {
                Body::Payload(payload) => {
                    // An entry that cannot be parsed fails the listing, but only at its end: the
                    // kernel starts no other listing on this socket before.
                    match (&mut entries, decode(payload)) {
                        (Ok(entries), Ok(entry)) => entries.extend(entry),
                        (Ok(_), Err(why)) => entries = Err(why),
                        (Err(_), _) => {}
                    }
                    return Ok(ControlFlow::Continue(()));
                }
                Body::Refused { errno, message } => refused = Some((errno, message)),
                Body::Done => {}
            }
            Ok(ControlFlow::Break(()))
        });
        outcome.map_err(|failure| failure.into_error(request))?;
        if let Some(refusal) = refused {
            return Err(refusal_of(request, refusal));
        }
        let entries = entries.map_err(|why| Error::malformed(request, &why))?;
        Ok((entries, changed))
    }
}

fn refusal_of(request: &impl Display, (errno, message): (Errno, Option<String>)) -> Error {
    Error::Refused {
        index: 0,
        request: request.to_string(),
        errno,
        message,
    }
}
