use super::*;

use crate::fake_server::{Thing, answer, client, connect};

async fn read_all(connection: &mut ApiConnection) -> Result<(Vec<Thing>, String), Error> {
    let mut list = PagedList::new("/things", PAGE);
    let mut all = Vec::new();
    loop {
        all.append(&mut list.read(connection).await?);
        if let Some(version) = list.version() {
            return Ok((all, version.to_owned()));
        }
    }
}

fn page(name: &str, next: &str) -> String {
    let body = format!(
        r#"{{"metadata":{{"resourceVersion":"7","continue":"{next}"}},"items":[{{"name":"{name}"}}]}}"#
    );
    answer("200 OK", "", &body)
}

#[tokio::test]
async fn page_that_a_busy_server_refuses_is_read_again_alone() {
    let folder = tempfile::tempdir().unwrap();
    let busy = answer("429 Too Many Requests", "Retry-After: 0\r\n", "{}");
    let answers = vec![page("a", "x"), busy.clone(), busy, page("b", "")];
    let (mut connection, server) = connect(&client(folder.path()), answers).await;
    let (items, version) = read_all(&mut connection).await.unwrap();
    let names: Vec<_> = items.iter().map(|it| it.name.as_str()).collect();
    assert_eq!((names.as_slice(), version.as_str()), (&["a", "b"][..], "7"));
    let next = "/things?limit=50&continue=x";
    let expected = ["/things?limit=50", next, next, next];
    assert_eq!(server.await.unwrap(), expected);
}

#[tokio::test]
async fn server_that_stays_busy_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let busy = answer("429 Too Many Requests", "Retry-After: 0\r\n", "{}");
    let answers = vec![busy; 1 + PAGE_RETRIES as usize];
    let (mut connection, _server) = connect(&client(folder.path()), answers).await;
    let error = read_all(&mut connection).await.unwrap_err();
    assert!(error.is_busy(), "{error}");
}
