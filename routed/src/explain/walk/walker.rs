//! Collects what was found on the way between two pods.

use serde::Serialize;

use crate::doctor::Severity;

/// A link of the path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct PathStep {
    /// What it belongs to: one of the pods, or this node.
    pub(crate) of: String,
    /// Its name.
    pub(crate) link: &'static str,
    /// The JSON calls it `verdict`.
    #[serde(rename = "verdict")]
    pub(crate) severity: Severity,
    /// What was found.
    pub(crate) evidence: String,
    /// What to do about it.
    pub(crate) fix: Option<String>,
}

/// Collects the links of one part of the path.
pub(super) struct Walker<'a> {
    pub(super) of: &'a str,
    pub(super) steps: Vec<PathStep>,
}

impl Walker<'_> {
    pub(super) fn push(
        &mut self,
        link: &'static str,
        severity: Severity,
        text: String,
        fix: Option<String>,
    ) {
        self.steps.push(PathStep {
            of: self.of.to_owned(),
            link,
            severity,
            evidence: text,
            fix,
        });
    }

    pub(super) fn ok(&mut self, link: &'static str, text: impl Into<String>) {
        self.push(link, Severity::Ok, text.into(), None);
    }

    pub(super) fn broken(
        &mut self,
        link: &'static str,
        text: impl Into<String>,
        fix: impl Into<String>,
    ) {
        self.push(link, Severity::Broken, text.into(), Some(fix.into()));
    }

    pub(super) fn unknown(
        &mut self,
        link: &'static str,
        text: impl Into<String>,
        fix: impl Into<String>,
    ) {
        self.push(link, Severity::Unknown, text.into(), Some(fix.into()));
    }
}
