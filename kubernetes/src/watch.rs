//! Follows a collection: a whole list, then its changes, across dropped connections, expired
//! versions and restarts of the API server (Kubernetes API Concepts, "Efficient detection of
//! changes").

use std::convert::Infallible;
use std::error::Error as StdError;
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::Response;
use hyper::body::{Body, Bytes, Incoming};
use serde::de::IgnoredAny;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};
use wire::backoff::random;

use crate::client::{ApiClient, ApiConnection};
use crate::error::{Error, causes};
use crate::follow_end::FollowEnd;
use crate::identity::identity;
use crate::list::{PAGE, PagedList};
use crate::object::{ApiObject, ObjectList};
use crate::timeouts::{RETRY_BACKOFF, WATCH_SECONDS, WATCH_SILENCE};
use crate::watch_event::WatchEvent;
use crate::watch_line::{Bookmark, WatchLine, position_of_newline};

/// How many events are queued for the receiver; further ones wait in the connection.
const QUEUE: usize = 64;

/// The same where an event may be a page of a list.
const QUEUE_OF_PAGES: usize = 2;

/// The longest event that is read, in bytes: ten times what etcd stores of an object.
const MAX_EVENT: usize = 16 << 20;

/// A watch on one collection.
#[derive(Debug)]
pub struct Watch<T> {
    client: ApiClient,
    path: &'static str,
    /// The most objects on a page, if the receiver takes lists by pages.
    page_size: Option<usize>,
    events: mpsc::Sender<WatchEvent<T>>,
    /// Up to where the receiver has all changes; `None` if it needs a list.
    position: Option<WatchPosition>,
    /// What the outage that goes on was last reported as.
    outage: Option<u16>,
    /// How often in a row the server said that its answers cannot be continued (410).
    expirations: u32,
    /// The longest silence of a watch that is believed to go on.
    longest_silence: Duration,
}

#[derive(Debug)]
struct WatchPosition {
    cluster: String,
    version: String,
}

impl<T: ApiObject> Watch<T> {
    /// Starts to watch the collection at `path`, such as `/api/v1/nodes`. Ends when the receiver is
    /// dropped.
    pub fn start(client: ApiClient, path: &'static str) -> mpsc::Receiver<WatchEvent<T>> {
        let (events, receiver) = mpsc::channel(QUEUE);
        Self::new(client, path, events).spawn();
        receiver
    }

    /// The same for a large collection, and for one that may not exist: a list comes as pages of at
    /// most `page_size` objects, so that it is never in memory as a whole, and a collection that the
    /// cluster does not have is reported as [`WatchEvent::Missing`].
    pub fn start_by_pages(
        client: ApiClient,
        path: &'static str,
        page_size: usize,
    ) -> mpsc::Receiver<WatchEvent<T>> {
        let (events, receiver) = mpsc::channel(QUEUE_OF_PAGES);
        let mut watch = Self::new(client, path, events);
        watch.page_size = Some(page_size);
        watch.spawn();
        receiver
    }

    fn spawn(self) {
        let closed = self.events.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = closed.closed() => {}
                () = self.run() => {}
            }
        });
    }

    fn new(client: ApiClient, path: &'static str, events: mpsc::Sender<WatchEvent<T>>) -> Self {
        Self {
            client,
            path,
            page_size: None,
            events,
            position: None,
            outage: None,
            expirations: 0,
            longest_silence: WATCH_SILENCE,
        }
    }

    async fn run(mut self) {
        let mut failures = 0;
        loop {
            let began = Instant::now();
            let Err(end) = self.follow().await;
            // What lasted is over for another reason than what made it fail before.
            if began.elapsed() > RETRY_BACKOFF.most {
                failures = 0;
                self.expirations = 0;
            }
            failures += 1;
            let mut pause = RETRY_BACKOFF.pause(failures);
            match end {
                FollowEnd::Closed => return,
                FollowEnd::Over => {}
                FollowEnd::Missing(cluster, error) => {
                    if self.missing(cluster, error).await.is_err() {
                        return;
                    }
                }
                FollowEnd::Failed(error) => {
                    pause += error.wanted_pause();
                    if self.failed(error).await.is_err() {
                        return;
                    }
                }
            }
            sleep(pause).await;
        }
    }

    /// Takes note of a failure, and reports it if it is an outage. That a version expired is none
    /// for the first time: the list is read anew. A server that says it again serves no changes.
    async fn failed(&mut self, error: Error) -> Result<(), FollowEnd> {
        if error.is_gone() {
            tracing::debug!("{}: {error}; reading it anew", self.path);
            self.position = None;
            self.expirations += 1;
            if self.expirations < 2 {
                return Ok(());
            }
        }
        if self.outage == Some(error.kind()) {
            return Ok(());
        }
        self.outage = Some(error.kind());
        self.send(WatchEvent::Disconnected(error)).await
    }

    /// Reports that this cluster has no such collection.
    async fn missing(&mut self, cluster: String, error: Error) -> Result<(), FollowEnd> {
        self.position = None;
        self.connected().await?;
        self.send(WatchEvent::Missing { cluster, error }).await
    }

    /// Follows the collection until that ends.
    async fn follow(&mut self) -> Result<Infallible, FollowEnd> {
        let mut connection = self.client.connect().await?;
        let cluster = identity(&mut connection).await?;
        let Err(end) = self.follow_in(&mut connection, &cluster).await;
        Err(match end {
            FollowEnd::Failed(error) if self.page_size.is_some() && error.is_not_found() => {
                FollowEnd::Missing(cluster, error)
            }
            end => end,
        })
    }

    /// Follows the collection of the cluster that answers.
    async fn follow_in(
        &mut self,
        connection: &mut ApiConnection,
        cluster: &str,
    ) -> Result<Infallible, FollowEnd> {
        if !self.is_known(connection, cluster).await? {
            self.read_all(connection, cluster).await?;
        }
        let stream = self.open(connection).await?;
        self.connected().await?;
        self.read(stream.into_body()).await
    }

    /// Reads and reports the whole collection.
    async fn read_all(
        &mut self,
        connection: &mut ApiConnection,
        cluster: &str,
    ) -> Result<(), FollowEnd> {
        let mut list = PagedList::new(self.path, self.page_size.unwrap_or(PAGE));
        let (mut unsent, mut is_first) = (Vec::new(), true);
        let version = loop {
            let mut items = list.read(connection).await?;
            if self.page_size.is_some() {
                let cluster = cluster.to_owned();
                self.send(WatchEvent::Page {
                    items,
                    cluster,
                    is_first,
                })
                .await?;
                is_first = false;
            } else {
                unsent.append(&mut items);
            }
            if let Some(version) = list.version() {
                break version.to_owned();
            }
        };
        self.connected().await?;
        let (items, cluster) = (unsent, cluster.to_owned());
        self.position = Some(WatchPosition {
            cluster: cluster.clone(),
            version: version.clone(),
        });
        self.send(WatchEvent::Reset {
            items,
            cluster,
            version,
        })
        .await
    }

    /// Whether changes from the position on can be had: this is the same cluster, and not one that
    /// was restored from a backup. A watch from a version of the future would be silent until the
    /// cluster reaches it.
    async fn is_known(&self, connection: &mut ApiConnection, cluster: &str) -> Result<bool, Error> {
        let Some(position) = self.position.as_ref().filter(|it| it.cluster == cluster) else {
            return Ok(false);
        };
        let first = format!("{}?limit=1", self.path);
        let now: ObjectList<IgnoredAny> = connection.get(&first).await?;
        let number = |version: &str| version.parse().unwrap_or(0u64);
        Ok(number(&now.metadata.resource_version) >= number(&position.version))
    }

    /// Asks for the changes since the position.
    async fn open(&self, connection: &mut ApiConnection) -> Result<Response<Incoming>, Error> {
        let version = self.position.as_ref().map_or("", |it| &it.version);
        let seconds = WATCH_SECONDS + random() % WATCH_SECONDS;
        let path = format!(
            "{}?watch=1&allowWatchBookmarks=true&resourceVersion={version}&timeoutSeconds={seconds}",
            self.path
        );
        connection.stream(&path).await
    }

    /// Reads the stream until it ends, or until it is silent for too long.
    async fn read<B>(&mut self, mut stream: B) -> Result<Infallible, FollowEnd>
    where
        B: Body<Data = Bytes> + Unpin,
        B::Error: StdError + 'static,
    {
        let mut buffer = Vec::new();
        while let Ok(Some(frame)) = timeout(self.longest_silence, stream.frame()).await {
            let lost = |why: B::Error| self.client.lost(&causes(&why));
            let Ok(data) = frame.map_err(lost)?.into_data() else {
                continue;
            };
            // The part before was searched already.
            let searched = buffer.len();
            buffer.extend_from_slice(&data);
            let mut begin = 0;
            while let Some(length) = position_of_newline(&buffer, begin.max(searched)) {
                self.line(&buffer[begin..length]).await?;
                begin = length + 1;
            }
            buffer.drain(..begin);
            if buffer.len() > MAX_EVENT {
                return Err(self.client.invalid(&"an event is too long").into());
            }
        }
        Err(FollowEnd::Over)
    }

    /// Takes in one line of the stream.
    async fn line(&mut self, line: &[u8]) -> Result<(), FollowEnd> {
        let line: WatchLine<T> = serde_json::from_slice(line)
            .map_err(|why| self.client.invalid(&format!("an event: {why}")))?;
        let event = match line {
            WatchLine::Added(object) | WatchLine::Modified(object) => WatchEvent::Applied(object),
            WatchLine::Deleted(object) => WatchEvent::Deleted(object),
            WatchLine::Bookmark(Bookmark { metadata }) => {
                self.advance(&metadata.resource_version);
                return self.progressed().await;
            }
            WatchLine::Error(status) => {
                return Err(FollowEnd::Failed(Error::Refused {
                    server: self.client.server().to_owned(),
                    code: status.code,
                    message: status.message,
                    retry_after: None,
                }));
            }
        };
        if let WatchEvent::Applied(object) | WatchEvent::Deleted(object) = &event {
            self.advance(object.version());
        }
        self.progressed().await?;
        self.send(event).await
    }

    /// The server serves changes.
    async fn progressed(&mut self) -> Result<(), FollowEnd> {
        self.expirations = 0;
        self.connected().await
    }

    /// All changes up to the version of this object are known.
    fn advance(&mut self, version: &str) {
        if let Some(position) = &mut self.position {
            version.clone_into(&mut position.version);
        }
    }

    /// The server answers; that its lists can be followed is to be seen if they could not be before.
    async fn connected(&mut self) -> Result<(), FollowEnd> {
        if self.expirations < 2 && self.outage.take().is_some() {
            self.send(WatchEvent::Connected).await?;
        }
        Ok(())
    }

    async fn send(&self, event: WatchEvent<T>) -> Result<(), FollowEnd> {
        self.events.send(event).await.map_err(|_| FollowEnd::Closed)
    }
}

#[cfg(test)]
mod tests;
