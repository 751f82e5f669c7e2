//! Follows a collection: a whole list, then its changes, across dropped connections, expired
//! versions and restarts of the API server (Kubernetes API Concepts, "Efficient detection of
//! changes").

use std::convert::Infallible;
use std::error::Error as StdError;
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::Response;
use hyper::body::{Body, Bytes, Incoming};
use serde::Deserialize;
use serde::de::IgnoredAny;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};
use wire::backoff::random;

use crate::client::{ApiClient, ApiConnection};
use crate::error::{ApiStatus, Error, causes};
use crate::list;
use crate::object::{ApiObject, Metadata, ObjectList};
use crate::timeouts::{RETRY_BACKOFF, WATCH_SECONDS, WATCH_SILENCE};

/// How many events are queued for the receiver; further ones wait in the connection.
const QUEUE: usize = 64;

/// The longest event that is read, in bytes: ten times what etcd stores of an object.
const MAX_EVENT: usize = 16 << 20;

/// The namespace whose UID is the identity of a cluster: it is made with the cluster, and cannot be
/// deleted.
const IDENTITY: &str = "/api/v1/namespaces/kube-system";

/// What a watch reports.
#[derive(Debug)]
pub enum WatchEvent<T> {
    /// Everything there is; replaces all that was reported before.
    Reset {
        /// The objects, in the order of their names.
        items: Vec<T>,
        /// The UID of the namespace `kube-system` of the cluster that answered.
        cluster: String,
        /// The version of the list.
        version: String,
    },
    /// An object was created or changed.
    Applied(T),
    /// An object was deleted; this was its last state.
    Deleted(T),
    /// The collection cannot be read; attempts go on. Comes once per outage, and again when the
    /// reason becomes another.
    Disconnected(Error),
    /// It can be read again; the missed changes follow. Comes once per outage.
    Connected,
}

/// A watch on one collection.
#[derive(Debug)]
pub struct Watch<T> {
    client: ApiClient,
    path: &'static str,
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

/// Why following ended.
#[derive(Debug)]
enum FollowEnd {
    /// The receiver was dropped.
    Closed,
    /// The server ended the watch, as it does from time to time.
    Over,
    Failed(Error),
}

impl From<Error> for FollowEnd {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// One line of a watch: a `WatchEvent` (meta/v1).
#[derive(Debug, Deserialize)]
#[serde(tag = "type", content = "object", rename_all = "UPPERCASE")]
enum WatchLine<T> {
    Added(T),
    Modified(T),
    Deleted(T),
    Bookmark(Bookmark),
    Error(ApiStatus),
}

#[derive(Debug, Deserialize)]
struct Bookmark {
    metadata: Metadata,
}

impl<T: ApiObject> Watch<T> {
    /// Starts to watch the collection at `path`, such as `/api/v1/nodes`. Ends when the receiver is
    /// dropped.
    pub fn start(client: ApiClient, path: &'static str) -> mpsc::Receiver<WatchEvent<T>> {
        let (events, receiver) = mpsc::channel(QUEUE);
        let closed = events.clone();
        let watch = Self::new(client, path, events);
        tokio::spawn(async move {
            tokio::select! {
                () = closed.closed() => {}
                () = watch.run() => {}
            }
        });
        receiver
    }

    fn new(client: ApiClient, path: &'static str, events: mpsc::Sender<WatchEvent<T>>) -> Self {
        Self {
            client,
            path,
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

    /// Follows the collection until that ends.
    async fn follow(&mut self) -> Result<Infallible, FollowEnd> {
        let mut connection = self.client.connect().await?;
        let cluster = identity(&mut connection).await?;
        if !self.is_known(&mut connection, &cluster).await? {
            let (items, version) = list::read_all(&mut connection, self.path).await?;
            self.connected().await?;
            self.send(WatchEvent::Reset {
                items,
                cluster: cluster.clone(),
                version: version.clone(),
            })
            .await?;
            self.position = Some(WatchPosition { cluster, version });
        }
        let stream = self.open(&mut connection).await?;
        self.connected().await?;
        self.read(stream.into_body()).await
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

/// The identity of the cluster that answers.
async fn identity(connection: &mut ApiConnection) -> Result<String, Error> {
    #[derive(Deserialize)]
    struct Namespace {
        metadata: Metadata,
    }
    let namespace: Namespace = connection.get(IDENTITY).await?;
    Ok(namespace.metadata.uid)
}

fn position_of_newline(buffer: &[u8], begin: usize) -> Option<usize> {
    let found = buffer.get(begin..)?.iter().position(|byte| *byte == b'\n');
    found.map(|at| begin + at)
}

#[cfg(test)]
mod tests;
