//! The result of a check.

use serde::Serialize;

/// The result of a check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    /// The name of the check.
    pub(crate) check: &'static str,
    /// The JSON calls it `verdict`.
    #[serde(rename = "verdict")]
    pub(crate) severity: Severity,
    /// What was found.
    pub(crate) evidence: String,
    /// What to do about it.
    pub(crate) fix: Option<String>,
}

/// How serious a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Severity {
    /// As it should be.
    Ok,
    /// It works, but perhaps not in every case.
    Warning,
    /// Pods have no network, or will lose it.
    Broken,
    /// The facts could not be read.
    Unknown,
}

impl Finding {
    pub(super) fn ok(check: &'static str, evidence: impl Into<String>) -> Self {
        Self::new(check, Severity::Ok, evidence)
    }

    pub(super) fn warning(check: &'static str, evidence: impl Into<String>) -> Self {
        Self::new(check, Severity::Warning, evidence)
    }

    pub(super) fn broken(check: &'static str, evidence: impl Into<String>) -> Self {
        Self::new(check, Severity::Broken, evidence)
    }

    pub(super) fn unknown(check: &'static str, evidence: impl Into<String>) -> Self {
        Self::new(check, Severity::Unknown, evidence)
    }

    fn new(check: &'static str, severity: Severity, evidence: impl Into<String>) -> Self {
        Self {
            check,
            severity,
            evidence: evidence.into(),
            fix: None,
        }
    }

    pub(super) fn fix(self, fix: impl Into<String>) -> Self {
        let fix = Some(fix.into());
        Self { fix, ..self }
    }

    /// Fails unless evidence and fix contain these texts; an empty `fix` means that there is none.
    #[cfg(test)]
    pub(super) fn assert(&self, severity: Severity, evidence: &str, fix: &str) {
        assert_eq!(self.severity, severity, "{self:?}");
        assert!(self.evidence.contains(evidence), "{self:?}");
        let has = self.fix.as_deref().unwrap_or_default();
        let is_expected = has.contains(fix) && has.is_empty() == fix.is_empty();
        assert!(is_expected, "{self:?}");
    }
}
