//! Reads a range of keys page by page. A page that does not fit is read in smaller parts, and a
//! value that is too large for any record of ours is not read at all: only its key is.

use etcd_client::{Client, GetOptions, GetResponse, KeyValue, KvClient};

use crate::etcd::EtcdRegistry;
use crate::etcd::error::{MAX_REPLY, RequestError};

/// The largest reply about one record, in bytes: more than any value that is parsed.
pub(super) const MAX_RECORD_REPLY: usize = 64 * 1024;

pub(super) fn kv(client: &Client) -> KvClient {
    client.kv_client().max_decoding_message_size(MAX_REPLY)
}

/// How many keys are read per request.
const PAGE: i64 = 1_000;

/// The keys of one page.
#[derive(Debug)]
pub(super) struct KeyPage {
    pub(super) kvs: Vec<KeyValue>,
    /// Whether the values are missing because they are too large.
    pub(super) is_too_large: bool,
}

/// A range of keys at one revision, read page by page.
#[derive(Debug)]
pub(super) struct Pages<'a> {
    etcd: &'a EtcdRegistry,
    /// The first key of the next page; `None` after the last one.
    from: Option<Vec<u8>>,
    end: Vec<u8>,
    revision: i64,
    limit: i64,
}

impl<'a> Pages<'a> {
    /// All keys that start with `prefix`, which ends with `/`, at `revision`.
    pub(super) fn of(etcd: &'a EtcdRegistry, prefix: &str, revision: i64) -> Self {
        Self {
            etcd,
            from: Some(prefix.as_bytes().to_vec()),
            end: end_of(prefix),
            revision,
            limit: PAGE,
        }
    }

    /// Like [`Pages::of`], without the keys up to `after`.
    pub(super) fn after(etcd: &'a EtcdRegistry, after: &[u8], prefix: &str, revision: i64) -> Self {
        Self {
            from: Some(next_key(after)),
            ..Self::of(etcd, prefix, revision)
        }
    }

    /// The next page; `None` after the last one.
    pub(super) async fn next(&mut self) -> Result<Option<KeyPage>, RequestError> {
        let Some(from) = self.from.clone() else {
            return Ok(None);
        };
        loop {
            let (reply, is_too_large) = match self.read(&from, self.limit, false).await {
                Ok(reply) => {
                    self.limit = (self.limit * 2).min(PAGE);
                    (reply, false)
                }
                Err(RequestError::TooLarge) if self.limit > 1 => {
                    self.limit = (self.limit / 4).max(1);
                    continue;
                }
                Err(RequestError::TooLarge) => (self.read(&from, 1, true).await?, true),
                Err(failure) => return Err(failure),
            };
            let last = reply.kvs().last().filter(|_| reply.more());
            self.from = last.map(|last| next_key(last.key()));
            return Ok(Some(KeyPage {
                kvs: reply.kvs().to_vec(),
                is_too_large,
            }));
        }
    }

    async fn read(
        &self,
        from: &[u8],
        limit: i64,
        keys_only: bool,
    ) -> Result<GetResponse, RequestError> {
        let mut options = GetOptions::new()
            .with_range(self.end.clone())
            .with_limit(limit)
            .with_revision(self.revision);
        if keys_only {
            options = options.with_keys_only();
        }
        let from = from.to_vec();
        let time_limit = self.etcd.policy.request_timeout;
        let get = |client: etcd_client::Client| async move {
            let mut kv = match limit {
                1 => kv(&client).max_decoding_message_size(MAX_RECORD_REPLY),
                _ => kv(&client),
            };
            kv.get(from, Some(options)).await
        };
        self.etcd.with_connection(time_limit, get).await
    }
}

fn next_key(key: &[u8]) -> Vec<u8> {
    let mut next = key.to_vec();
    next.push(0);
    next
}

/// The end of the range of all keys with this `prefix`, which ends with `/`.
pub(super) fn end_of(prefix: &str) -> Vec<u8> {
    let mut end = prefix.as_bytes().to_vec();
    if let Some(last) = end.last_mut() {
        *last += 1;
    }
    end
}
