//! Who may do what: bearer tokens and RBAC rules.

use std::collections::BTreeMap;

use hyper::HeaderMap;
use hyper::header::AUTHORIZATION;
use k8s_openapi::api::rbac::v1::PolicyRule;

use super::request::{Request, StatusError};

/// The user of requests without a token.
const ANONYMOUS: &str = "system:anonymous";

/// The tokens and the rules.
#[derive(Default)]
pub(super) struct Access {
    /// User by token.
    pub(super) tokens: BTreeMap<String, String>,
    pub(super) grants: Vec<Grant>,
}

/// What a user may do in one namespace, or everywhere.
pub(super) struct Grant {
    pub(super) user: String,
    pub(super) namespace: Option<String>,
    pub(super) rule: PolicyRule,
}

impl Access {
    /// The user who sends a request with these headers.
    pub(super) fn authenticate(&self, headers: &HeaderMap) -> Result<String, StatusError> {
        let Some(value) = headers.get(AUTHORIZATION) else {
            return Ok(ANONYMOUS.to_owned());
        };
        let token = value
            .to_str()
            .ok()
            .and_then(|it| it.strip_prefix("Bearer "));
        let user = token.and_then(|token| self.tokens.get(token));
        user.cloned()
            .ok_or_else(|| StatusError::new(401, "Unauthorized"))
    }

    /// Refuses what no rule allows, in the words of a real server.
    pub(super) fn authorize(&self, user: &str, request: &Request) -> Result<(), StatusError> {
        let mut grants = self.grants.iter().filter(|grant| grant.user == user);
        if grants.any(|grant| grant.allows(request)) {
            return Ok(());
        }
        let scope = match request.namespace.as_str() {
            "" => "at the cluster scope".to_owned(),
            namespace => format!("in the namespace \"{namespace}\""),
        };
        let message = format!(
            "{{}} is forbidden: User \"{user}\" cannot {} resource \"{}\" in API group \"{}\" {scope}",
            request.verb,
            request.target(),
            request.resource.group
        );
        Err(request.error(403, &message))
    }
}

impl Grant {
    fn allows(&self, request: &Request) -> bool {
        let name = match request.name.as_str() {
            "" => request.selected("metadata.name").unwrap_or_default(),
            name => name,
        };
        let has = |list: Option<&Vec<String>>, value: &str| {
            list.is_some_and(|list| list.iter().any(|it| it == value || it == "*"))
        };
        let (rule, namespace) = (&self.rule, self.namespace.as_ref());
        let names = rule.resource_names.as_ref().filter(|it| !it.is_empty());
        namespace.is_none_or(|namespace| *namespace == request.namespace)
            && has(Some(&rule.verbs), request.verb)
            && has(rule.api_groups.as_ref(), request.resource.group)
            && has(rule.resources.as_ref(), &request.target())
            && names.is_none_or(|names| names.iter().any(|it| it == name))
    }
}
