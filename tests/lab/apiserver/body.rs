//! Bodies of answers, part by part.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::{Body, Bytes, Frame};
use tokio::sync::mpsc;

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
            let bytes = part?;
            let length = bytes.as_ref().map_or(0, Bytes::len);
            self.sent.fetch_add(length as u64, Ordering::Relaxed);
            Some(bytes.map(Frame::data))
        })
    }
}

/// Sends the parts of a body.
#[derive(Clone)]
pub(super) struct PartSender(mpsc::Sender<io::Result<Bytes>>);

/// The client has closed the connection.
pub(super) struct Closed;

impl PartSender {
    /// A body whose bytes are added to `sent`.
    pub(super) fn new(sent: Arc<AtomicU64>) -> (Self, Parts) {
        let (sender, parts) = mpsc::channel(1);
        (Self(sender), Parts { parts, sent })
    }

    /// Sends a part after `delay`.
    pub(super) async fn send(&self, delay: Duration, part: Vec<u8>) -> Result<(), Closed> {
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        self.0.send(Ok(part.into())).await.map_err(|_| Closed)
    }

    /// Breaks the connection.
    pub(super) async fn cut(&self) {
        let error = io::Error::other("cut by the test");
        // A client that has gone needs no break.
        let _ = self.0.send(Err(error)).await;
    }

    /// Waits until the client has closed the connection.
    pub(super) async fn closed(&self) {
        self.0.closed().await;
    }
}
