//! Bodies of answers, part by part.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use hyper::body::{Body, Bytes, Frame};
use tokio::sync::mpsc;

use super::state::State;

/// A body whose parts come from a task of their own.
pub(super) struct Parts {
    parts: mpsc::Receiver<io::Result<Bytes>>,
    sent: Arc<AtomicU64>,
}

impl Body for Parts {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.parts.poll_recv(context).map(|part| {
            let part = part?;
            let length = part.as_ref().map_or(0, Bytes::len);
            self.sent.fetch_add(length as u64, Ordering::Relaxed);
            Some(part.map(Frame::data))
        })
    }
}

/// Sends the parts of a body, as fast as the test wants it.
pub(super) struct PartSender {
    state: Arc<State>,
    parts: mpsc::Sender<io::Result<Bytes>>,
}

/// The client has closed the connection.
pub(super) struct Closed;

impl PartSender {
    /// A body whose bytes are added to `sent`.
    pub(super) fn new(state: Arc<State>, sent: Arc<AtomicU64>) -> (Self, Parts) {
        let (sender, parts) = mpsc::channel(1);
        let sender = Self {
            state,
            parts: sender,
        };
        (sender, Parts { parts, sent })
    }

    /// Sends a part.
    pub(super) async fn send(&self, part: Vec<u8>) -> Result<(), Closed> {
        self.state.until_alive().await;
        let delay = self.state.faults().part_delay;
        // A sleep of no time takes a millisecond, of which a long list has thousands.
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        self.parts.send(Ok(part.into())).await.map_err(|_| Closed)
    }

    /// Breaks the connection.
    pub(super) async fn cut(&self) -> Result<(), Closed> {
        let error = io::Error::other("cut by the test");
        self.parts.send(Err(error)).await.map_err(|_| Closed)
    }

    /// Waits until the client has closed the connection.
    pub(super) async fn closed(&self) {
        self.parts.closed().await;
    }
}
