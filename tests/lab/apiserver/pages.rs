//! Lists, whole and page by page.

use std::collections::VecDeque;
use std::sync::Arc;

use serde_json::json;

use super::object::Object;
use super::request::{Request, StatusError};

/// This many lists can be read page by page at a time; an older one has expired.
const MAX_SNAPSHOTS: usize = 20;

/// A list of objects at one version.
pub(super) struct List {
    pub(super) version: u64,
    pub(super) items: Vec<Object>,
}

/// A list, or a part of one.
pub(super) struct Page {
    pub(super) version: u64,
    pub(super) items: Vec<Object>,
    /// The token for the next page, and how many items are left.
    pub(super) next: Option<(String, usize)>,
}

/// The lists that are being read page by page, by number.
#[derive(Clone, Default)]
pub(super) struct Snapshots {
    lists: VecDeque<(u64, Arc<List>)>,
    count: u64,
}

impl Snapshots {
    /// Forgets all: their tokens have expired.
    pub(super) fn clear(&mut self) {
        self.lists.clear();
    }

    /// The answer to a list request; `now` is what it would get without options.
    pub(super) fn page(&mut self, request: &Request, now: List) -> Result<Page, StatusError> {
        let version = request.number("resourceVersion")?;
        // A real server ignores the limit at version 0, which it answers from its cache.
        let limit = match (request.number("limit")?, version) {
            (None | Some(0), _) | (_, Some(0)) => usize::MAX,
            (Some(limit), _) => usize::try_from(limit).unwrap_or(usize::MAX),
        };
        match (request.option("continue"), version) {
            ("", Some(version)) if version > now.version => Err(too_large(version, now.version)),
            ("", _) => {
                let list = Arc::new(now);
                self.count += 1;
                let page = cut(self.count, &list, 0, limit);
                if page.next.is_some() {
                    self.lists.push_back((self.count, list));
                    let surplus = self.lists.len().saturating_sub(MAX_SNAPSHOTS);
                    self.lists.drain(..surplus);
                }
                Ok(page)
            }
            (token, _) => {
                let bad = || StatusError::new(400, "continue key is not valid");
                let (number, start) = parse_token(token).ok_or_else(bad)?;
                let list = self.lists.iter().find(|it| it.0 == number);
                let (_, list) = list.ok_or_else(|| StatusError::new(410, CONTINUE_EXPIRED))?;
                Ok(cut(number, list, start, limit))
            }
        }
    }
}

const CONTINUE_EXPIRED: &str = "The provided continue parameter is too old to display a \
    consistent list result. You can start a new list without the continue parameter.";

fn too_large(version: u64, current: u64) -> StatusError {
    let cause =
        json!({ "reason": "ResourceVersionTooLarge", "message": "Too large resource version" });
    let message = format!("Timeout: Too large resource version: {version}, current: {current}");
    StatusError {
        details: Some(Box::new(json!({ "causes": [cause] }))),
        retry_after: Some(1),
        ..StatusError::new(504, message)
    }
}

/// A token is opaque to clients: the number of the list, and how many items were sent.
fn parse_token(token: &str) -> Option<(u64, usize)> {
    let (number, start) = token.split_once('.')?;
    Some((number.parse().ok()?, start.parse().ok()?))
}

fn cut(number: u64, list: &List, start: usize, limit: usize) -> Page {
    let end = start.saturating_add(limit).min(list.items.len());
    let left = list.items.len() - end;
    Page {
        version: list.version,
        items: list.items.get(start..end).unwrap_or_default().to_vec(),
        next: (left > 0).then(|| (format!("{number}.{end}"), left)),
    }
}
