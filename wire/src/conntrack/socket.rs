//! The socket for connection tracking.

use std::ops::ControlFlow;

use nix::errno::Errno;
use rtnetlink::sys::protocols::NETLINK_NETFILTER;

use super::entry::ConntrackEntry;
use crate::netfilter::attributes::Attributes;
use crate::netfilter::message::NfnetlinkMessage;
use crate::netlink::Error;
use crate::netlink::reply::{Body, Reply};
use crate::netlink::transport::Transport;

/// `NFNL_SUBSYS_CTNETLINK`.
const SUBSYSTEM: u16 = 1;

/// `IPCTNL_MSG_CT_GET`, `IPCTNL_MSG_CT_DELETE`.
const GET: u16 = 1;
const DELETE: u16 = 2;

/// `NFPROTO_UNSPEC`.
const ALL_FAMILIES: u8 = 0;

/// Entries deleted with one datagram. All refusals wait in the receive buffer until it is processed.
const BATCH: usize = 64;

/// A blocking socket for connection tracking. It stays in the network namespace of the thread that
/// opened it.
#[derive(Debug)]
pub struct ConntrackSocket {
    transport: Transport,
}

impl ConntrackSocket {
    /// Opens a socket in the network namespace of the calling thread.
    pub fn open() -> Result<Self, Error> {
        Ok(Self {
            transport: Transport::open(NETLINK_NETFILTER)?,
        })
    }

    /// Passes each entry of both IP versions to `on_entry`, as it arrives. The table changes all the
    /// time: an entry may be passed twice, and one that was moved meanwhile not at all.
    pub fn dump(&mut self, mut on_entry: impl FnMut(ConntrackEntry)) -> Result<(), Error> {
        let query = NfnetlinkMessage::new(SUBSYSTEM, GET, ALL_FAMILIES, Attributes::default());
        self.transport
            .list_each(&query, &"conntrack --dump", |payload| {
                ConntrackEntry::parse(payload)
                    .into_iter()
                    .for_each(&mut on_entry);
            })
    }

    /// Deletes exactly these entries, and returns how many were still there.
    ///
    /// The next packet of each connection is judged as the first of a new one, from whichever side
    /// it comes. From then on both directions are established again, if rules let that packet pass:
    /// TCP in mid-stream is not [`Invalid`](crate::nft::ConnectionState::Invalid) unless
    /// `net.netfilter.nf_conntrack_tcp_loose` is 0.
    ///
    /// # Errors
    /// The first entry that the kernel refused to delete; the others are deleted nevertheless.
    pub fn delete(&mut self, entries: &[ConntrackEntry]) -> Result<usize, Error> {
        let (mut deleted, mut first_failure) = (0, None);
        for batch in entries.chunks(BATCH) {
            let (count, failure) = self.delete_batch(batch)?;
            deleted += count;
            first_failure = first_failure.or(failure);
        }
        first_failure.map_or(Ok(deleted), Err)
    }

    fn delete_batch(&mut self, batch: &[ConntrackEntry]) -> Result<(usize, Option<Error>), Error> {
        let request = |index: usize| format!("conntrack --delete {}", batch[index].original);
        self.transport.begin();
        for entry in batch {
            let (family, identity) = entry.identity();
            let message = NfnetlinkMessage::new(SUBSYSTEM, DELETE, family, identity);
            self.transport.queue(&message, 0);
        }
        self.transport.acknowledge();
        let (mut deleted, mut failure) = (batch.len(), None);
        let outcome = self.transport.exchange(|Reply { index, body, .. }| {
            if let Body::Refused { errno, message } = body {
                deleted -= 1;
                if errno != Errno::ENOENT {
                    failure.get_or_insert_with(|| Error::Refused {
                        index,
                        request: request(index),
                        errno,
                        message,
                    });
                }
            }
            Ok(if index + 1 == batch.len() {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            })
        });
        outcome.map_err(|failure| failure.into_error(&request(0)))?;
        Ok((deleted, failure))
    }
}
