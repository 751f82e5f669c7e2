//! Lists, whole and page by page.

use std::collections::VecDeque;
use std::sync::Arc;

use super::object::{Items, Object};
use super::request::Request;
use super::status::StatusError;

/// This many lists can be read page by page at a time; an older one has expired.
const MAX_SNAPSHOTS: usize = 20;

/// What a list contained at a version, for its further pages.
#[derive(Clone, Default)]
pub(super) struct Snapshots(VecDeque<(u64, String, Arc<Items>)>);

impl Snapshots {
    fn add(&mut self, version: u64, request: &Request, items: Arc<Items>) {
        self.0.push_back((version, request.scope(), items));
        if self.0.len() > MAX_SNAPSHOTS {
            self.0.pop_front();
        }
    }

    fn find(&self, version: u64, request: &Request) -> Option<Arc<Items>> {
        let scope = request.scope();
        let mut all = self.0.iter();
        let found = all.find(|it| it.0 == version && it.1 == scope)?;
        Some(Arc::clone(&found.2))
    }
}

/// A list, or a part of one.
pub(super) struct Page {
    pub(super) version: u64,
    pub(super) items: Vec<Object>,
    /// The token for the next page, and how many items are left.
    pub(super) next: Option<(String, usize)>,
}

/// The objects of the moment, to be listed.
pub(super) struct Current {
    pub(super) version: u64,
    pub(super) items: Items,
}

impl Snapshots {
    /// The answer to a list request.
    pub(super) fn page(&mut self, request: &Request, now: Current) -> Result<Page, StatusError> {
        let wanted = version(request)?;
        let limit = request.number("limit")?.unwrap_or(0);
        let token = request.option("continue");
        if !token.is_empty() {
            let (at, start) = parse_token(token)?;
            return match self.find(at, request) {
                Some(items) => Ok(cut(at, &items, start, limit)),
                None => Err(StatusError::new(410, CONTINUE_EXPIRED)),
            };
        }
        match wanted {
            Some(wanted) if wanted > now.version => Err(too_large(wanted, now.version)),
            Some(wanted @ 1..)
                if wanted != now.version && request.option("resourceVersionMatch") == "Exact" =>
            {
                let items = self.find(wanted, request);
                let items = items.ok_or_else(|| too_old(wanted, now.version))?;
                Ok(cut(wanted, &items, 0, limit))
            }
            // A real server answers version 0 from its cache, and ignores the limit.
            wanted => {
                let items = Arc::new(now.items);
                let limit = if wanted == Some(0) { 0 } else { limit };
                let page = cut(now.version, &items, 0, limit);
                if page.next.is_some() {
                    self.add(now.version, request, items);
                }
                Ok(page)
            }
        }
    }
}

const CONTINUE_EXPIRED: &str = "The provided continue parameter is too old to display a \
    consistent list result. You can start a new list without the continue parameter.";

/// The `resourceVersion` of a request.
pub(super) fn version(request: &Request) -> Result<Option<u64>, StatusError> {
    request.number("resourceVersion")
}

pub(super) fn too_old(version: u64, oldest: u64) -> StatusError {
    let message = format!("too old resource version: {version} ({oldest})");
    StatusError::new(410, message)
}

fn too_large(version: u64, current: u64) -> StatusError {
    let message = format!("Too large resource version: {version}, current: {current}");
    let details = serde_json::json!({
        "causes": [{ "reason": "ResourceVersionTooLarge", "message": "Too large resource version" }],
    });
    StatusError {
        details: Some(Box::new(details)),
        retry_after: Some(1),
        ..StatusError::new(504, format!("Timeout: {message}"))
    }
}

/// A token is opaque to clients; this one says the version and how many items were sent.
fn parse_token(token: &str) -> Result<(u64, usize), StatusError> {
    let parse = || {
        let (version, start) = token.split_once('.')?;
        Some((version.parse().ok()?, start.parse().ok()?))
    };
    parse().ok_or_else(|| StatusError::new(400, "continue key is not valid"))
}

fn cut(version: u64, items: &Items, start: usize, limit: u64) -> Page {
    let rest = items.get(start..).unwrap_or_default();
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let count = if limit == 0 {
        rest.len()
    } else {
        limit.min(rest.len())
    };
    let left = rest.len() - count;
    Page {
        version,
        items: rest[..count]
            .iter()
            .map(|(_, object)| object.clone())
            .collect(),
        next: (left > 0).then(|| (format!("{version}.{}", start + count), left)),
    }
}
