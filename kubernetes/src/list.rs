//! Reads a whole collection, page by page (Kubernetes API Concepts, "Retrieving large results sets in
//! chunks").

use tokio::time::sleep;

use crate::client::ApiConnection;
use crate::error::Error;
use crate::object::{ApiObject, ObjectList};
use crate::timeouts::{PAGE_RETRIES, RETRY_BACKOFF};

/// How many objects a page of a list has at most. Its text is in memory while it is read: at 50 KB
/// an object, 2.5 MB.
pub(crate) const PAGE: usize = 50;

/// A list that is being read.
#[derive(Debug)]
pub(crate) struct PagedList {
    /// The path of the first page.
    first: String,
    /// Where the next page begins; empty before the first one.
    next: String,
    /// The version of the list, once it was read to its end.
    version: Option<String>,
}

impl PagedList {
    /// The collection at `path`, in pages of at most `size` objects.
    pub(crate) fn new(path: &str, size: usize) -> Self {
        Self {
            first: format!("{path}?limit={size}"),
            next: String::new(),
            version: None,
        }
    }

    /// Reads the next page.
    pub(crate) async fn read<T: ApiObject>(
        &mut self,
        connection: &mut ApiConnection,
    ) -> Result<Vec<T>, Error> {
        let page: ObjectList<T> = if self.next.is_empty() {
            read_page(connection, &self.first).await?
        } else {
            let next = format!("{}&continue={}", self.first, self.next);
            read_page(connection, &next).await?
        };
        self.next = page.metadata.next;
        self.version = (self.next.is_empty()).then_some(page.metadata.resource_version);
        Ok(page.items.unwrap_or_default())
    }

    /// The version of the list; `None` while pages are left to read.
    pub(crate) fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }
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
