use super::*;

use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::body::Frame;

use crate::fake_server::{Thing, answer, client, connect};

/// A watch that has read everything up to a version, and what it reports.
fn watch(client: ApiClient) -> (Watch<Thing>, mpsc::Receiver<WatchEvent<Thing>>) {
    let (events, receiver) = mpsc::channel(QUEUE);
    let mut watch = Watch::new(client, "/things", events);
    watch.longest_silence = Duration::from_millis(50);
    watch.position = Some(WatchPosition {
        cluster: "c".to_owned(),
        version: "7".to_owned(),
    });
    (watch, receiver)
}

/// A stream of one event, after which nothing comes: its server is gone without a word.
struct SilentStream(Option<&'static str>);

impl Body for SilentStream {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.0.take() {
            Some(text) => Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(text.as_bytes()))))),
            None => Poll::Pending,
        }
    }
}

#[tokio::test]
async fn watch_that_is_silent_for_long_is_over() {
    let folder = tempfile::tempdir().unwrap();
    let (mut watch, mut events) = watch(client(folder.path()));
    let event = "{\"type\":\"ADDED\",\"object\":{\"name\":\"a\"}}\n";
    let Err(end) = watch.read(SilentStream(Some(event))).await;
    assert!(matches!(end, FollowEnd::Over), "{end:?}");
    let event = events.recv().await;
    assert!(
        matches!(&event, Some(WatchEvent::Applied(thing)) if thing.name == "a"),
        "{event:?}"
    );
    assert_eq!(watch.position.unwrap().version, "9");
}

#[tokio::test]
async fn watch_that_never_begins_is_an_outage() {
    let folder = tempfile::tempdir().unwrap();
    let client = client(folder.path());
    let (watch, _events) = watch(client.clone());
    let (mut connection, _server) = connect(&client, Vec::new()).await;
    let error = watch.open(&mut connection).await.unwrap_err();
    assert!(error.to_string().contains("no reply within"), "{error}");
}

fn refused(code: u16) -> Error {
    Error::Refused {
        server: String::new(),
        code,
        message: String::new(),
        retry_after: None,
    }
}

#[tokio::test]
async fn version_that_expires_again_and_again_is_an_outage() {
    let folder = tempfile::tempdir().unwrap();
    let (mut watch, mut events) = watch(client(folder.path()));
    watch.failed(refused(410)).await.unwrap();
    assert!(watch.position.is_none());
    // The list is served, and expires again.
    watch.connected().await.unwrap();
    assert!(events.try_recv().is_err());
    watch.failed(refused(410)).await.unwrap();
    let event = events.try_recv().unwrap();
    assert!(matches!(event, WatchEvent::Disconnected(_)), "{event:?}");
    watch.connected().await.unwrap();
    watch.failed(refused(410)).await.unwrap();
    assert!(events.try_recv().is_err());
    let bookmark = br#"{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"9"}}}"#;
    watch.line(bookmark).await.unwrap();
    let event = events.try_recv().unwrap();
    assert!(matches!(event, WatchEvent::Connected), "{event:?}");
    watch.failed(refused(410)).await.unwrap();
    assert!(events.try_recv().is_err());
}

fn page(name: &str, next: &str) -> String {
    let body = format!(
        r#"{{"metadata":{{"resourceVersion":"7","continue":"{next}"}},"items":[{{"name":"{name}"}}]}}"#
    );
    answer("200 OK", "", &body)
}

#[tokio::test]
async fn list_by_pages_ends_with_a_reset_without_objects() {
    let folder = tempfile::tempdir().unwrap();
    let client = client(folder.path());
    let (mut watch, mut events) = watch(client.clone());
    watch.page_size = Some(1);
    let (mut connection, server) = connect(&client, vec![page("a", "x"), page("b", "")]).await;
    watch.read_all(&mut connection, "c").await.unwrap();
    for expected in [("a", true), ("b", false)] {
        let Some(WatchEvent::Page {
            items, is_first, ..
        }) = events.recv().await
        else {
            panic!("no page");
        };
        assert_eq!((items[0].name.as_str(), is_first), expected);
    }
    let end = events.recv().await;
    assert!(
        matches!(&end, Some(WatchEvent::Reset { items, version, .. }) if items.is_empty() && version == "7"),
        "{end:?}"
    );
    let expected = ["/things?limit=1", "/things?limit=1&continue=x"];
    assert_eq!(server.await.unwrap(), expected);
}
