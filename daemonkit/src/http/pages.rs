//! The pages of a program, and who may read which.

use std::fmt;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Response, StatusCode, Uri};
use serde::Serialize;

use crate::query::Stuck;
use crate::{metrics, termination};

const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";

/// The rights of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Any client of the TCP address: may read about this node only.
    Public,
    /// Root of this node: may read everything.
    Root,
}

/// The response to a request.
pub type PageResponse = Response<Full<Bytes>>;

/// The pages of a program.
pub trait HttpPages: Send + Sync + 'static {
    /// Names a page.
    type Page: Copy + Send + Sync + 'static;

    /// The path of each page, and the rights that reading it needs.
    const ALL: &'static [(&'static str, Self::Page, Access)];

    /// Makes a page; `query` is what follows the `?` of the request, empty if there is none.
    fn page(
        &self,
        page: Self::Page,
        query: &str,
    ) -> impl Future<Output = Result<PageResponse, Stuck>> + Send;
}

/// Answers one request.
pub(super) async fn answer<P: HttpPages>(
    pages: &P,
    method: &Method,
    uri: &Uri,
    access: Access,
) -> PageResponse {
    match find::<P>(method, uri.path(), access) {
        Ok(page) => pages
            .page(page, uri.query().unwrap_or_default())
            .await
            .unwrap_or_else(|stuck| {
                response(StatusCode::SERVICE_UNAVAILABLE, TEXT, format!("{stuck}\n"))
            }),
        Err((status, text)) => response(status, TEXT, text + "\n"),
    }
}

/// The paths that a client with these rights may read, with commas.
pub(super) fn paths<P: HttpPages>(access: Access) -> String {
    let paths: Vec<_> = readable::<P>(access).map(|(path, _, _)| *path).collect();
    paths.join(", ")
}

fn readable<P: HttpPages>(
    access: Access,
) -> impl Iterator<Item = &'static (&'static str, P::Page, Access)> {
    let is_allowed = move |needs: Access| needs == Access::Public || access == Access::Root;
    P::ALL
        .iter()
        .filter(move |(_, _, needs)| is_allowed(*needs))
}

/// The page of `path`, or the status and the text of the error.
fn find<P: HttpPages>(
    method: &Method,
    path: &str,
    access: Access,
) -> Result<P::Page, (StatusCode, String)> {
    let Some((_, page, _)) = readable::<P>(access).find(|(known, _, _)| *known == path) else {
        let text = format!("no such page; the pages are {}", paths::<P>(access));
        return Err((StatusCode::NOT_FOUND, text));
    };
    if *method == Method::GET || *method == Method::HEAD {
        return Ok(*page);
    }
    let text = format!("{path} is read-only: use GET or HEAD");
    Err((StatusCode::METHOD_NOT_ALLOWED, text))
}

/// The page of a program that is alive.
pub fn ok() -> PageResponse {
    response(StatusCode::OK, TEXT, "ok\n".to_owned())
}

/// The page of a program that is ready if nothing is `missing`.
pub fn readiness(missing: &[String]) -> PageResponse {
    if missing.is_empty() {
        termination::write("");
        return ok();
    }
    let text = missing.join("\n") + "\n";
    // For `kubectl describe pod`, if the container ends before it is ready.
    termination::write(&text);
    response(StatusCode::SERVICE_UNAVAILABLE, TEXT, text)
}

/// The page of metrics, from their text.
pub fn metrics(text: Result<String, fmt::Error>) -> PageResponse {
    match text {
        Ok(text) => response(StatusCode::OK, metrics::CONTENT_TYPE, text),
        Err(error) => response(
            StatusCode::INTERNAL_SERVER_ERROR,
            TEXT,
            format!("metrics cannot be written: {error}\n"),
        ),
    }
}

/// The page of a request that cannot be answered, and why.
pub fn refused(why: &str) -> PageResponse {
    response(StatusCode::BAD_REQUEST, TEXT, format!("{why}\n"))
}

/// The page of a value.
pub fn json(value: &impl Serialize) -> PageResponse {
    match serde_json::to_vec(value) {
        Ok(text) => response(StatusCode::OK, JSON, text),
        Err(error) => response(
            StatusCode::INTERNAL_SERVER_ERROR,
            TEXT,
            format!("cannot be written as JSON: {error}\n"),
        ),
    }
}

fn response(
    status: StatusCode,
    content_type: &'static str,
    body: impl Into<Bytes>,
) -> PageResponse {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if status == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    }
    response
}

#[cfg(test)]
mod tests;
