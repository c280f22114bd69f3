//! One thing that is wrong, and its forms on the wire.

use jiff::Timestamp;
use kluis_arm::item::HealthDetail;
use serde_json::{Value, json};

/// Something that is wrong with an item or a vault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Azure's number for it, or one of our own from 900100 on; those of job errors are from 900001 on.
    pub code: i32,
    /// How bad it is.
    pub severity: Severity,
    /// Its name in CamelCase, for programs.
    pub title: String,
    /// What is wrong, in sentences.
    pub message: String,
    /// What a person can do about it, a sentence each.
    pub recommendations: Vec<String>,
    /// Since when, where that is known.
    pub since: Option<Timestamp>,
}

/// How bad a problem is. The worst is the least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Backups or recovery points are lost or missing, or will be.
    Error,
    /// Nothing is lost yet.
    Warning,
}

impl Severity {
    fn word(self) -> &'static str {
        match self {
            Self::Error => "Error",
            Self::Warning => "Warning",
        }
    }
}

impl Problem {
    /// A problem of which nobody knows since when.
    pub(crate) fn new(
        code: i32,
        severity: Severity,
        title: &str,
        message: impl Into<String>,
        recommendations: &[&str],
    ) -> Self {
        Self {
            code,
            severity,
            title: title.to_owned(),
            message: message.into(),
            recommendations: recommendations
                .iter()
                .map(|&text| text.to_owned())
                .collect(),
            since: None,
        }
    }

    /// The same, since then.
    #[must_use]
    pub fn since(mut self, since: Option<Timestamp>) -> Self {
        self.since = since;
        self
    }

    /// As a vault's health tells it.
    pub(super) fn to_json(&self) -> Value {
        json!({
            "code": self.code,
            "severity": self.severity.word(),
            "title": self.title,
            "message": self.message,
            "recommendations": self.recommendations,
            "since": self.since.map(|since| since.to_string()),
        })
    }
}

/// As an item's `healthDetails` tell it.
pub(crate) fn detail(problem: &Problem) -> HealthDetail {
    HealthDetail {
        code: Some(problem.code),
        title: Some(problem.title.clone()),
        message: Some(problem.message.clone()),
        recommendations: Some(problem.recommendations.clone()),
        ..HealthDetail::default()
    }
}

/// Azure's word for the whole: `Passed`, `ActionSuggested` or `ActionRequired`.
pub(crate) fn health_status(problems: &[Problem]) -> &'static str {
    match problems.iter().map(|problem| problem.severity).min() {
        None => "Passed",
        Some(Severity::Warning) => "ActionSuggested",
        Some(Severity::Error) => "ActionRequired",
    }
}
