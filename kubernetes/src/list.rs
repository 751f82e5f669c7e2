//! Reads a whole collection, page by page (Kubernetes API Concepts, "Retrieving large results sets in
//! chunks").

use tokio::time::sleep;

use crate::client::ApiConnection;
use crate::error::Error;
use crate::object::{ApiObject, ObjectList};
use crate::timeouts::{PAGE_RETRIES, RETRY_BACKOFF};

/// How many objects a page of a list has at most. Its text is in memory while it is read: at 50 KB
/// an object, 2.5 MB.
const PAGE: usize = 50;

/// The objects of the collection at `path`, and the version of the list.
pub(crate) async fn read_all<T: ApiObject>(
    connection: &mut ApiConnection,
    path: &str,
) -> Result<(Vec<T>, String), Error> {
    let first = format!("{path}?limit={PAGE}");
    let mut page: ObjectList<T> = read_page(connection, &first).await?;
    let mut items = page.items.unwrap_or_default();
    while !page.metadata.next.is_empty() {
        let next = format!("{first}&continue={}", page.metadata.next);
        page = read_page(connection, &next).await?;
        items.append(&mut page.items.unwrap_or_default());
    }
    Ok((items, page.metadata.resource_version))
}

/// Reads one page. A server that is busy is asked for this page again: reading those before it again
/// too would keep it busy.
async fn read_page<T: ApiObject>(
    connection: &mut ApiConnection,
    path: &str,
) -> Result<ObjectList<T>, Error> {
    let mut failures = 0;
    loop {
        match connection.get(path).await {
            Err(error) if error.is_busy() && failures < PAGE_RETRIES => {
                failures += 1;
                sleep(RETRY_BACKOFF.pause(failures) + error.wanted_pause()).await;
            }
            page => return page,
        }
    }
}

#[cfg(test)]
mod tests;
