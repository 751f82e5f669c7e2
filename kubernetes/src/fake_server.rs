//! A server for tests of the client: it gives the answers that it is told, one for each request, over
//! a connection in memory.

use std::path::Path;
use std::time::Duration;

use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::task::JoinHandle;

use crate::account::ServiceAccount;
use crate::client::{ApiClient, ApiConnection};
use crate::object::ApiObject;

/// An object for tests.
#[derive(Debug, Deserialize)]
pub(crate) struct Thing {
    pub(crate) name: String,
}

impl ApiObject for Thing {
    fn version(&self) -> &'static str {
        "9"
    }
}

/// A client whose credentials are in `folder`, and which waits for a reply for a short time only.
pub(crate) fn client(folder: &Path) -> ApiClient {
    std::fs::write(folder.join("token"), "t").unwrap();
    let client = ApiClient::new("server:1".to_owned(), ServiceAccount::new(folder));
    client.with_request_timeout(Duration::from_millis(50))
}

/// A connection to a server that gives these answers, and then none. The task returns the paths that
/// were asked for.
pub(crate) async fn connect(
    client: &ApiClient,
    answers: Vec<String>,
) -> (ApiConnection, JoinHandle<Vec<String>>) {
    let (ours, theirs) = duplex(1 << 16);
    let server = tokio::spawn(serve(theirs, answers));
    let (sender, connection) = http1::handshake(TokioIo::new(ours)).await.unwrap();
    let driver = tokio::spawn(async move {
        let _ = connection.await;
    });
    (ApiConnection::new(client.clone(), sender, driver), server)
}

/// An answer with this status line, further headers (each with its line end) and body.
pub(crate) fn answer(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n{headers}\r\n{body}")
}

async fn serve(mut stream: DuplexStream, answers: Vec<String>) -> Vec<String> {
    let mut paths = Vec::new();
    for answer in answers {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        let head = String::from_utf8(head).unwrap();
        paths.push(head.split(' ').nth(1).unwrap().to_owned());
        stream.write_all(answer.as_bytes()).await.unwrap();
    }
    // Keeps the connection, and answers nothing.
    let mut rest = Vec::new();
    if paths.is_empty() {
        stream.read_to_end(&mut rest).await.unwrap();
    }
    paths
}
