//! Connections, and the way of a request from its bytes to its answer.

use std::convert::Infallible;
use std::net::TcpListener;
use std::sync::Arc;

use http_body_util::{BodyExt as _, Collected};
use hyper::body::{Bytes, Incoming};
use hyper::header::{
    ACCEPT, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER,
};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::body::{Closed, PartSender, Parts};
use super::faults::{Answer, Record};
use super::pages::Page;
use super::request::{Request, StatusError};
use super::resource::Resource;
use super::state::State;
use super::watch::Watch;
use super::write;

/// A part of a list has at least this many bytes, except for the last.
const PART: usize = 32 << 10;

/// Accepts connections until `stop`; then closes all.
pub(super) async fn accept(
    listener: TcpListener,
    state: Arc<State>,
    mut stop: oneshot::Receiver<()>,
) -> std::io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            _ = &mut stop => break,
            Ok((stream, _)) = listener.accept() => {
                connections.spawn(connection(stream, Arc::clone(&state)));
            }
            Some(_) = connections.join_next() => {}
        }
    }
    connections.shutdown().await;
    Ok(())
}

async fn connection(stream: TcpStream, state: Arc<State>) {
    state.until_alive().await;
    let handshake = state.acceptor().accept(stream);
    // Clients that do not trust the certificate end here.
    let Ok(stream) = handshake.await else {
        return;
    };
    let service = service_fn(|request| answer(Arc::clone(&state), request));
    // The error is that of a client, or one that the test asked for.
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

/// What is sent.
enum Reply {
    Whole(u16, Vec<u8>),
    List(&'static Resource, Page, Answer),
    Watch(Box<Watch>),
}

async fn answer(
    state: Arc<State>,
    request: hyper::Request<Incoming>,
) -> Result<Response<Parts>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map(Collected::to_bytes);
    state.until_alive().await;
    let delay = state.faults().delay;
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    let request = Request::parse(&head.method, &head.uri);
    let user = state.access().authenticate(&head.headers);
    let mut record = Record {
        verb: request
            .as_ref()
            .map_or(head.method.as_str(), |it| it.verb)
            .to_owned(),
        resource: request.as_ref().map(Request::target).unwrap_or_default(),
        user: user.clone().unwrap_or_default(),
        uri: head.uri.to_string(),
        code: 200,
        sent: Arc::default(),
    };
    let (sender, parts) = PartSender::new(Arc::clone(&state), Arc::clone(&record.sent));
    let reply = user.and_then(|user| {
        let request = request.ok_or_else(not_served)?;
        let body = body.unwrap_or_default();
        decide(&state, request, &user, &head.headers, &body)
    });
    let mut response = Response::new(parts);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if state.faults().close {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    let reply = reply.unwrap_or_else(|error| {
        if let Some(seconds) = error.retry_after {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        Reply::Whole(error.code, error.object().to_string().into_bytes())
    });
    if let Reply::Whole(code, bytes) = &reply {
        headers.insert(CONTENT_LENGTH, bytes.len().into());
        record.code = *code;
        *response.status_mut() = StatusCode::from_u16(*code).unwrap_or_default();
    }
    state.records().push(record);
    tokio::spawn(send(reply, sender));
    Ok(response)
}

/// The answer to requests for a resource that there is not.
fn not_served() -> StatusError {
    StatusError::new(404, "the server could not find the requested resource")
}

/// Decides on a request, and carries it out.
fn decide(
    state: &Arc<State>,
    request: Request,
    user: &str,
    headers: &HeaderMap,
    body: &Bytes,
) -> Result<Reply, StatusError> {
    let fault = state.faults().answer(request.verb);
    if let Answer::Failure { code, retry_after } = fault {
        let error = StatusError::new(code, "the test asked for this failure");
        return Err(StatusError {
            retry_after,
            ..error
        });
    }
    state.access().authorize(user, &request)?;
    if state.faults().missing == Some(request.resource.plural) {
        return Err(not_served());
    }
    request.check_selectors()?;
    check_accept(headers)?;
    match request.verb {
        "get" => {
            let object = state.store(|store| store.get(&request.key()).cloned());
            let object = object.ok_or_else(|| request.error(404, "{} not found"))?;
            Ok(Reply::Whole(200, object.json_of(request.resource)))
        }
        "list" => {
            let mut page = state.store(|store| store.list(&request))?;
            if fault == Answer::EmptyList {
                (page.items, page.next) = (Vec::new(), None);
            }
            Ok(Reply::List(request.resource, page, fault))
        }
        "watch" => Watch::new(state, request).map(|it| Reply::Watch(Box::new(it))),
        _ => {
            let written = state.store(|store| write::write(store, &request, headers, body));
            let (code, object) = written?;
            Ok(Reply::Whole(code, object.json_of(request.resource)))
        }
    }
}

/// JSON is all that this server speaks.
fn check_accept(headers: &HeaderMap) -> Result<(), StatusError> {
    let Some(accept) = headers.get(ACCEPT).and_then(|it| it.to_str().ok()) else {
        return Ok(());
    };
    let is_json = |kind: &str| {
        let name = kind.split(';').next().unwrap_or_default().trim();
        matches!(name, "*/*" | "application/*" | "application/json") && !kind.contains("as=")
    };
    if accept.split(',').any(is_json) {
        return Ok(());
    }
    Err(StatusError::new(
        406,
        "only the following media types are accepted: application/json",
    ))
}

async fn send(reply: Reply, sender: PartSender) -> Result<(), Closed> {
    match reply {
        Reply::Whole(_, bytes) => sender.send(bytes).await,
        Reply::List(resource, page, fault) => list(resource, page, fault, &sender).await,
        Reply::Watch(watch) => watch.run(&sender).await,
    }
}

async fn list(
    resource: &Resource,
    page: Page,
    fault: Answer,
    sender: &PartSender,
) -> Result<(), Closed> {
    let mut metadata = json!({ "resourceVersion": page.version.to_string() });
    if let Some((token, left)) = page.next {
        metadata["continue"] = token.into();
        metadata["remainingItemCount"] = left.into();
    }
    let (kind, version) = (resource.kind, resource.api_version());
    let mut part = format!(
        "{{\"kind\":\"{kind}List\",\"apiVersion\":\"{version}\",\"metadata\":{metadata},\"items\":["
    )
    .into_bytes();
    let is_cut = matches!(fault, Answer::TruncatedList | Answer::BrokenList);
    let count = page.items.len();
    for (index, object) in page.items.iter().enumerate() {
        if is_cut && index == count / 2 {
            part.extend_from_slice(&object.json[..object.json.len() / 2]);
            break;
        }
        part.extend_from_slice(&object.json);
        if index + 1 < count {
            part.push(b',');
        }
        if part.len() >= PART {
            sender.send(std::mem::take(&mut part)).await?;
        }
    }
    if !is_cut {
        part.extend_from_slice(b"]}\n");
    }
    sender.send(part).await?;
    if fault == Answer::BrokenList {
        return sender.cut().await;
    }
    Ok(())
}
