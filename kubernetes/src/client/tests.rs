use super::*;

use serde_json::Value;

use crate::fake_server::{answer, client, connect};

/// The name of the server leads nowhere, so a new connection fails otherwise than a closed one.
#[tokio::test]
async fn closed_connection_is_replaced_before_the_next_request() {
    let folder = tempfile::tempdir().unwrap();
    let answers = vec![answer("200 OK", "Connection: close\r\n", "{}")];
    let (mut connection, server) = connect(&client(folder.path()), answers).await;
    connection.get::<Value>("/a").await.unwrap();
    let error = connection.get::<Value>("/b").await.unwrap_err();
    assert!(matches!(error, Error::Credentials { .. }), "{error}");
    assert_eq!(server.await.unwrap(), ["/a"]);
}

#[tokio::test]
async fn request_that_was_sent_is_not_sent_again() {
    let folder = tempfile::tempdir().unwrap();
    // The answer is cut off.
    let answers = vec!["HTTP/1.1 200".to_owned()];
    let (mut connection, _server) = connect(&client(folder.path()), answers).await;
    let error = connection.get::<Value>("/a").await.unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error}");
}
