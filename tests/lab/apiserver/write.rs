//! Create, update, patch and delete.

use hyper::HeaderMap;
use hyper::header::CONTENT_TYPE;
use serde_json::Value;

use super::object::Object;
use super::patch::{Lists, merge};
use super::request::{Request, StatusError};
use super::resource::{Key, Resource};
use super::store::Store;

/// The code of HTTP, and the object.
pub(super) type Written = Result<(u16, Object), StatusError>;

/// How a body is a patch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Patch {
    Merge,
    Strategic,
    Apply,
}

/// Carries out a request that writes.
pub(super) fn write(
    store: &mut Store,
    request: &Request,
    headers: &HeaderMap,
    body: &[u8],
) -> Written {
    match request.verb {
        "create" => create(store, request, parse(body)?),
        "update" => {
            let old = current(store, request)?;
            replace(store, request, &old, parse(body)?)
        }
        "patch" => patch(store, request, headers, &parse(body)?),
        "delete" => {
            let deleted = store.delete(&request.key(), request.resource);
            Ok((200, deleted.ok_or_else(|| not_found(request))?))
        }
        verb => Err(StatusError::new(405, format!("this server has no {verb}"))),
    }
}

fn not_found(request: &Request) -> StatusError {
    request.error(404, "{} not found")
}

fn parse(body: &[u8]) -> Result<Value, StatusError> {
    serde_json::from_slice(body).map_err(|error| StatusError::new(400, error.to_string()))
}

fn current(store: &Store, request: &Request) -> Result<Value, StatusError> {
    let object = store.get(&request.key());
    object
        .map(|object| object.value(request.resource))
        .ok_or_else(|| not_found(request))
}

/// Refuses an object that does not belong where the request puts it.
fn check(request: &Request, object: &Value) -> Result<(), StatusError> {
    let bad = |message: String| Err(StatusError::new(400, message));
    let is_of = Resource::of(object).is_some_and(|it| std::ptr::eq(it, request.resource));
    if !is_of {
        return bad(format!("the object is no {}", request.resource.kind));
    }
    if let Err(error) = (request.resource.check)(object) {
        let kind = request.resource.kind;
        return bad(format!(
            "{kind} in version \"{}\" cannot be handled as a {kind}: {error}",
            request.resource.version
        ));
    }
    for (field, wanted) in [("name", &request.name), ("namespace", &request.namespace)] {
        let value = object["metadata"][field].as_str().unwrap_or(wanted);
        if !wanted.is_empty() && value != wanted {
            let message = "of the object does not match that of the request";
            return bad(format!("the {field} {message}"));
        }
    }
    Ok(())
}

fn create(store: &mut Store, request: &Request, mut object: Value) -> Written {
    check(request, &object)?;
    if request.resource.namespaced {
        let namespaces = Resource::named("namespaces").expect("in the table");
        if store
            .get(&Key::new(namespaces, "", &request.namespace))
            .is_none()
        {
            let message = format!("namespaces \"{}\" not found", request.namespace);
            return Err(StatusError::new(404, message));
        }
        object["metadata"]["namespace"] = request.namespace.as_str().into();
    }
    let metadata = &mut object["metadata"];
    metadata["uid"] = Value::Null;
    if metadata["name"].is_null() && metadata["generateName"].is_string() {
        let prefix = metadata["generateName"].as_str().unwrap_or_default();
        metadata["name"] = format!("{prefix}{:05x}", store.version() + 1).into();
    }
    let Some(name) = metadata["name"].as_str() else {
        return Err(request.error(422, "{}: metadata.name: Required value"));
    };
    let request = request.named(name);
    if store.get(&request.key()).is_some() {
        let conflict = request.error(409, "{} already exists");
        let reason = "AlreadyExists";
        return Err(StatusError { reason, ..conflict });
    }
    if request.resource.plural == "pods" {
        object["status"] = Value::Null;
    }
    Ok((201, store.write(request.key(), object)))
}

/// Writes what the request may write of `new`, if that changes anything.
fn replace(store: &mut Store, request: &Request, old: &Value, mut new: Value) -> Written {
    check(request, &new)?;
    let (mine, theirs) = (&new["metadata"], &old["metadata"]);
    for field in ["resourceVersion", "uid"] {
        if !mine[field].is_null() && mine[field] != theirs[field] {
            return Err(request.error(
                409,
                "Operation cannot be fulfilled on {}: the object has been modified; please apply \
                 your changes to the latest version and try again",
            ));
        }
    }
    for field in ["resourceVersion", "uid", "creationTimestamp", "namespace"] {
        if let Some(value) = theirs.get(field) {
            new["metadata"][field] = value.clone();
        }
    }
    let kept = match (request.subresource.as_str(), request.resource.status) {
        ("status", _) => Some("spec"),
        (_, true) => Some("status"),
        _ => None,
    };
    if let Some(kept) = kept {
        match old.get(kept) {
            Some(value) => new[kept] = value.clone(),
            None => drop(new.as_object_mut().expect("checked").shift_remove(kept)),
        }
    }
    // As a real server, which does not write an object that stays the same.
    if let (true, Some(same)) = (new == *old, store.get(&request.key())) {
        return Ok((200, same.clone()));
    }
    Ok((200, store.write(request.key(), new)))
}

fn patch(store: &mut Store, request: &Request, headers: &HeaderMap, body: &Value) -> Written {
    let kind = headers.get(CONTENT_TYPE).and_then(|it| it.to_str().ok());
    let kind = match kind.unwrap_or_default() {
        "application/merge-patch+json" => Patch::Merge,
        "application/strategic-merge-patch+json" => Patch::Strategic,
        "application/apply-patch+yaml" => Patch::Apply,
        other => {
            return Err(StatusError::new(
                415,
                format!("unsupported patch: {other:?}"),
            ));
        }
    };
    if kind == Patch::Apply && request.option("fieldManager").is_empty() {
        return Err(StatusError::new(
            422,
            "fieldManager: Required value: is required for apply patch",
        ));
    }
    let old = match current(store, request) {
        Err(_) if kind == Patch::Apply && request.subresource.is_empty() => {
            return create(store, request, body.clone());
        }
        old => old?,
    };
    let lists = match kind {
        Patch::Merge => Lists::Replace,
        Patch::Strategic | Patch::Apply => Lists::Merge,
    };
    let mut new = old.clone();
    merge(&mut new, body, lists);
    replace(store, request, &old, new)
}
