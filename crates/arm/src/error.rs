//! Resource Manager's errors: the body they come in, the codes that matter, and what a caller can do about each.

pub mod code;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Extra;

/// The body of every answer that is a failure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// What went wrong.
    pub error: ArmError,
    /// What else the wire carried, as it came.
    #[serde(flatten)]
    pub extra: Extra,
}

/// What went wrong, in a word for programs and a sentence for people.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "camelCase")]
#[error("{message} ({code})")]
pub struct ArmError {
    /// One of [`code`], or another.
    #[serde(default)]
    pub code: String,
    /// What happened, and what a person can do.
    #[serde(default)]
    pub message: String,
    /// The field or the resource it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// The errors it is made of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<Vec<ArmError>>,
    /// Whatever the service adds for its own people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inner_error: Option<Value>,
    /// What else the wire carried, as it came.
    #[serde(flatten)]
    pub extra: Extra,
}

impl ArmError {
    /// An error of a code and a message.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            message: message.into(),
            ..Self::default()
        }
    }

    /// Says which field or resource it is about.
    #[must_use]
    pub fn about(mut self, target: impl Into<String>) -> Self {
        self.target = Some(target.into());
        self
    }

    /// Puts it into the body of an answer.
    #[must_use]
    pub fn into_body(self) -> ErrorBody {
        ErrorBody {
            error: self,
            extra: Extra::new(),
        }
    }
}

impl ErrorBody {
    /// The body of an answer of a code and a message.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        ArmError::new(code, message).into_body()
    }

    /// A resource that does not exist, in Resource Manager's words. `kind_and_name` is such as
    /// `Microsoft.RecoveryServices/vaults/shop-weu`.
    #[must_use]
    pub fn not_found(kind_and_name: &str, resource_group: &str) -> Self {
        Self::new(
            code::RESOURCE_NOT_FOUND,
            format!(
                "The Resource '{kind_and_name}' under resource group '{resource_group}' was not found. \
                 For more details please go to https://aka.ms/ARMResourceNotFoundFix"
            ),
        )
    }

    /// Reads a failure's body, whichever of the three forms it has: Resource Manager's, the legacy
    /// `{"ErrorCode", "Message": {"Value"}}`, or nothing that can be read. In the last case the code is empty.
    #[must_use]
    pub fn read(body: &[u8]) -> Self {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Legacy {
            error_code: String,
            message: Option<LegacyMessage>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct LegacyMessage {
            value: String,
        }
        if let Ok(body) = serde_json::from_slice::<Self>(body) {
            return body;
        }
        if let Ok(legacy) = serde_json::from_slice::<Legacy>(body) {
            return Self::new(
                legacy.error_code,
                legacy.message.map(|m| m.value).unwrap_or_default(),
            );
        }
        let text: String = String::from_utf8_lossy(body).chars().take(200).collect();
        Self::new(
            "",
            if text.is_empty() {
                "the answer had no body".to_owned()
            } else {
                text
            },
        )
    }
}

/// What a caller can do about a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// The same call may succeed later; nobody has to do anything.
    RetryAfter,
    /// The call is sound, but something outside it is in the way: a permission, a lock, a thing that is missing or still
    /// there. A person or another resource has to change first.
    Blocked,
    /// The call itself is wrong, and will be for ever.
    Terminal,
}

/// Sorts a failure by its code first, and where the code is not known by its HTTP status.
///
/// An operation that ends as `Failed` is answered with status 200: its code decides, and an unknown one is `Blocked`,
/// because its request had been accepted.
#[must_use]
pub fn classify(code: &str, status: u16) -> Class {
    if let Some((_, class)) = code::CLASSES
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(code))
    {
        return *class;
    }
    match status {
        408 | 409 | 412 | 423 | 425 | 429 | 500..=599 => Class::RetryAfter,
        200..=299 | 401 | 402 | 403 | 404 => Class::Blocked,
        _ => Class::Terminal,
    }
}
