//! Why a request is not done, in ARM's form.

use serde_json::json;

use super::{Effect, Response};
use crate::store::StoreError;

/// What a route returns: a response with its effects, or a refusal. A refusal rolls the transaction back.
pub type Answer = Result<(Response, Vec<Effect>), Refusal>;

/// An ARM error: the status, the code that programs look at, the message that people read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{status} {code}: {message}")]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// ARM's error code, for example `ResourceNotFound`.
    pub code: String,
    /// What is wrong and what a person can do about it.
    pub message: String,
    /// After how many seconds it is worth asking again; `None` where that is not known.
    pub retry_after: Option<u64>,
    /// The request's id, where it is told as Microsoft.DataProtection tells its own.
    pub of_data_protection: Option<String>,
}

impl Refusal {
    /// A refusal with the given status, code and message.
    pub fn new(status: u16, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            status,
            code: code.into(),
            message: message.into(),
            retry_after: None,
            of_data_protection: None,
        }
    }

    /// The same, saying after how many seconds it is worth asking again.
    #[must_use]
    pub fn retry_after(self, seconds: u64) -> Self {
        Self {
            retry_after: Some(seconds),
            ..self
        }
    }

    /// The same, told as Microsoft.DataProtection tells its own.
    #[must_use]
    pub fn of_data_protection(self, request_id: &str) -> Self {
        Self {
            of_data_protection: Some(request_id.to_owned()),
            ..self
        }
    }

    /// 400: the request can't be carried out as it stands.
    pub fn bad_request(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(400, code, message)
    }

    /// 404 with a code of its own.
    pub fn not_found(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(404, code, message)
    }

    /// 409: not now, or not in this state.
    pub fn conflict(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(409, code, message)
    }

    /// 404 `ResourceNotFound`, in the words of ARM that clients know: `kind` is like `Microsoft.Compute/virtualMachines`.
    #[must_use]
    pub fn resource_not_found(kind: &str, name: &str, resource_group: &str) -> Self {
        Self::not_found(
            "ResourceNotFound",
            format!(
                "The Resource '{kind}/{name}' under resource group '{resource_group}' was not found. \
                 For more details please go to https://aka.ms/ARMResourceNotFoundFix"
            ),
        )
    }

    /// 404 `ResourceGroupNotFound`: whatever is asked of a group that is not there.
    #[must_use]
    pub fn no_group(name: &str) -> Self {
        Self::not_found(
            kluis_arm::error::code::RESOURCE_GROUP_NOT_FOUND,
            format!(
                "Resource group '{name}' could not be found; resource groups are those of the service's inventory."
            ),
        )
    }

    /// 404 for a path that leads to nothing this service serves.
    #[must_use]
    pub fn no_route(path: &str) -> Self {
        Self::not_found(
            "InvalidResourceType",
            format!("This service serves nothing at '{path}'."),
        )
    }

    /// 405: there is something at this path, but not for this method.
    #[must_use]
    pub fn wrong_method(method: &http::Method, path: &str) -> Self {
        Self::new(
            405,
            "MethodNotAllowed",
            format!("'{path}' is served, but not by {method}."),
        )
    }

    /// 405: these are the methods that the path has.
    #[must_use]
    pub fn other_method(method: &http::Method, path: &str, methods: &[&str]) -> Self {
        Self::new(
            405,
            "MethodNotAllowed",
            format!(
                "'{path}' is served by {}, but not by {method}.",
                methods.join(", ")
            ),
        )
    }

    /// The refusal as the response that ARM would give.
    #[must_use]
    pub fn response(&self) -> Response {
        let Self { code, message, .. } = self;
        let error = if let Some(activity) = &self.of_data_protection {
            let info = json!({
                "message": message, "recommendedAction": [message], "details": null, "code": code, "target": "",
                "innerError": null, "isRetryable": false, "isUserError": false,
                "properties": { "ActivityId": activity },
            });
            json!({
                "additionalInfo": [{ "type": "UserFacingError", "info": info }], "code": code, "message": message,
                "target": null, "details": null,
            })
        } else {
            json!({ "code": code, "message": message, "target": null, "details": null, "innerError": null })
        };
        let response = Response::json(self.status, json!({ "error": error }));
        match self.retry_after {
            Some(seconds) => response.with("Retry-After", seconds.to_string()),
            None => response,
        }
    }
}

impl From<StoreError> for Refusal {
    /// The store failing is ours, not the caller's: 500, and the cause goes to the log, not over the wire.
    fn from(error: StoreError) -> Self {
        tracing::error!(error = %crate::store::chain(&error), "the store failed");
        Self::new(
            500,
            "InternalServerError",
            "The service could not read or write its state; nothing was changed. Its log has the cause.",
        )
    }
}
