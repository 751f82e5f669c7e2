//! Requests for objects, and why they fail.

use std::collections::BTreeMap;

use hyper::{Method, Uri};
use serde_json::{Value, json};

use super::resource::{Key, Resource};

/// A request for objects of one resource.
#[derive(Clone)]
pub(super) struct Request {
    /// The verb, as in RBAC rules.
    pub(super) verb: &'static str,
    pub(super) resource: &'static Resource,
    /// Empty for all, and if the resource has none.
    pub(super) namespace: String,
    /// Empty for all.
    pub(super) name: String,
    /// `status`, or empty.
    pub(super) subresource: String,
    query: BTreeMap<String, String>,
}

impl Request {
    /// Parses the first line of an HTTP request; `None` if the server has no such path.
    pub(super) fn parse(method: &Method, uri: &Uri) -> Option<Self> {
        let words: Vec<String> = uri.path().split('/').skip(1).map(decode).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let (group, version, rest) = match words.as_slice() {
            ["api", version, rest @ ..] => ("", version, rest),
            ["apis", group, version, rest @ ..] => (*group, version, rest),
            _ => return None,
        };
        let (namespace, rest) = match rest {
            ["namespaces", namespace, rest @ ..] if !matches!(rest, [] | ["status"]) => {
                (*namespace, rest)
            }
            rest => ("", rest),
        };
        let (plural, name, subresource) = match rest {
            [plural] => (plural, "", ""),
            [plural, name] => (plural, *name, ""),
            [plural, name, "status"] => (plural, *name, "status"),
            _ => return None,
        };
        let resource = Resource::served(group, version, plural)?;
        let fits = match (resource.namespaced, name) {
            (true, "") => true,
            (namespaced, _) => namespaced != namespace.is_empty(),
        };
        if !fits || (subresource == "status" && !resource.status) {
            return None;
        }
        let query = parse_query(uri.query().unwrap_or_default());
        let is_watch = matches!(query.get("watch").map(String::as_str), Some("true" | "1"));
        let verb = match (method.as_str(), name) {
            ("GET", "") if is_watch => "watch",
            ("GET", "") => "list",
            ("GET", _) => "get",
            ("POST", "") => "create",
            ("PUT", _) => "update",
            ("PATCH", _) => "patch",
            ("DELETE", "") => "deletecollection",
            ("DELETE", _) => "delete",
            _ => return None,
        };
        Some(Self {
            verb,
            resource,
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            subresource: subresource.to_owned(),
            query,
        })
    }

    /// An option of the query; empty if it is absent.
    pub(super) fn option(&self, key: &str) -> &str {
        self.query.get(key).map_or("", String::as_str)
    }

    /// An option that is a number; empty is `None`.
    pub(super) fn number(&self, key: &str) -> Result<Option<u64>, StatusError> {
        match self.option(key) {
            "" => Ok(None),
            text => text
                .parse()
                .map(Some)
                .map_err(|_| StatusError::new(400, format!("{key}: Invalid value: \"{text}\""))),
        }
    }

    /// Whether an option of the query is true.
    pub(super) fn is_set(&self, key: &str) -> bool {
        matches!(self.option(key), "true" | "1")
    }

    /// The value that `fieldSelector` requires of a field.
    pub(super) fn selected(&self, field: &str) -> Option<&str> {
        self.terms().find(|it| it.0 == field).map(|it| it.1)
    }

    /// The terms of `fieldSelector`: `FIELD=VALUE`, with commas.
    fn terms(&self) -> impl Iterator<Item = (&str, &str)> {
        let terms = self.option("fieldSelector").split(',');
        terms.filter(|term| !term.is_empty()).map(|term| {
            let (field, value) = term.split_once('=').unwrap_or((term, ""));
            (field, value.trim_start_matches('='))
        })
    }

    /// Refuses selectors that this server does not have.
    pub(super) fn check_selectors(&self) -> Result<(), StatusError> {
        let mut terms = self.terms();
        let other = terms.find(|it| !matches!(it.0, "metadata.name" | "spec.nodeName"));
        match other {
            Some((field, _)) => {
                let message = format!("field label not supported: {field}");
                Err(StatusError::new(400, message))
            }
            None if self.option("labelSelector").is_empty() => Ok(()),
            None => Err(StatusError::new(400, "this server has no labelSelector")),
        }
    }

    /// The resource as in RBAC rules: `nodes`, `nodes/status`.
    pub(super) fn target(&self) -> String {
        match self.subresource.as_str() {
            "" => self.resource.plural.to_owned(),
            subresource => format!("{}/{subresource}", self.resource.plural),
        }
    }

    /// An error about the object that the request names, which takes the place of `{}`.
    pub(super) fn error(&self, code: u16, message: &str) -> StatusError {
        let (resource, name) = (self.resource, &self.name);
        let mut details = json!({ "kind": resource.plural });
        for (key, value) in [("name", name.as_str()), ("group", resource.group)] {
            if !value.is_empty() {
                details[key] = value.into();
            }
        }
        let subject = match name.as_str() {
            "" => resource.qualified(),
            name => format!("{} \"{name}\"", resource.qualified()),
        };
        StatusError {
            details: Some(Box::new(details)),
            ..StatusError::new(code, message.replace("{}", &subject))
        }
    }

    /// The same request, for the object of this name.
    pub(super) fn named(&self, name: &str) -> Self {
        Self {
            name: name.to_owned(),
            ..self.clone()
        }
    }

    /// The object that the request names.
    pub(super) fn key(&self) -> Key {
        Key::new(self.resource, &self.namespace, &self.name)
    }
}

fn parse_query(text: &str) -> BTreeMap<String, String> {
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(key), decode(&value.replace('+', " ")))
        })
        .collect()
}

/// Decodes `%2F` and the like.
fn decode(text: &str) -> String {
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let code = part.get(..2).and_then(|it| u8::from_str_radix(it, 16).ok());
        match code {
            Some(code) => {
                bytes.push(code);
                bytes.extend_from_slice(&part.as_bytes()[2..]);
            }
            None => bytes.extend([b"%", part.as_bytes()].concat()),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Why a request fails: the code of HTTP, and the fields of the `Status` object.
#[derive(Debug, Clone, Default)]
pub(super) struct StatusError {
    pub(super) code: u16,
    pub(super) reason: &'static str,
    pub(super) message: String,
    /// The `details` of the object.
    pub(super) details: Option<Box<Value>>,
    /// The header `Retry-After` in seconds.
    pub(super) retry_after: Option<u32>,
}

impl StatusError {
    /// An error with the reason that belongs to its code.
    pub(super) fn new(code: u16, message: impl Into<String>) -> Self {
        let reason = match code {
            400 => "BadRequest",
            401 => "Unauthorized",
            403 => "Forbidden",
            404 => "NotFound",
            405 => "MethodNotAllowed",
            406 => "NotAcceptable",
            409 => "Conflict",
            410 => "Expired",
            415 => "UnsupportedMediaType",
            422 => "Invalid",
            429 => "TooManyRequests",
            503 => "ServiceUnavailable",
            504 => "Timeout",
            _ => "InternalError",
        };
        Self {
            code,
            reason,
            message: message.into(),
            ..Self::default()
        }
    }

    /// The `Status` object.
    pub(super) fn object(&self) -> Value {
        let mut object = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": self.message, "reason": self.reason, "code": self.code,
        });
        if let Some(details) = &self.details {
            object["details"].clone_from(details);
        }
        if let Some(seconds) = self.retry_after {
            object["details"]["retryAfterSeconds"] = seconds.into();
        }
        object
    }
}
