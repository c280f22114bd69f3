//! What is asked of ARM, and what it answers: plain values, so that a simulation can stand where a socket would.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

/// The verbs that ARM's resource providers use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    Get,
    Put,
    Patch,
    Post,
    Delete,
}

impl Method {
    /// Whether asking changes nothing.
    pub fn is_read(self) -> bool {
        self == Self::Get
    }

    /// The verb as it stands on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Post => "POST",
            Self::Delete => "DELETE",
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One request.
#[derive(Debug, Clone, PartialEq)]
pub struct ArmRequest {
    pub method: Method,
    /// From the first slash on, as ARM writes it (`;` and spaces bare): it is encoded when it is sent.
    pub path: String,
    /// Name and value, unencoded, `api-version` among them.
    pub query: Vec<(String, String)>,
    pub body: Option<Value>,
    /// Sent as `x-ms-client-request-id`, and echoed in the service's records. One is made up when absent.
    pub client_request_id: Option<String>,
}

impl ArmRequest {
    /// A request without a body.
    pub fn new(method: Method, path: impl Into<String>, api_version: &str) -> Self {
        Self {
            method,
            path: path.into(),
            query: vec![("api-version".to_owned(), api_version.to_owned())],
            body: None,
            client_request_id: None,
        }
    }

    /// A read.
    pub fn get(path: impl Into<String>, api_version: &str) -> Self {
        Self::new(Method::Get, path, api_version)
    }

    #[must_use]
    pub fn with_body(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }

    #[must_use]
    pub fn with_query(mut self, name: &str, value: impl Into<String>) -> Self {
        self.query.push((name.to_owned(), value.into()));
        self
    }

    #[must_use]
    pub fn with_client_request_id(mut self, id: impl Into<String>) -> Self {
        self.client_request_id = Some(id.into());
        self
    }
}

/// The verb and the path: what was being done, in errors and logs. Queries are left out: a link's may be long.
impl fmt::Display for ArmRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}

/// One answer with a status below 300; any other is a [`Failure`](crate::Failure).
#[derive(Debug, Clone, PartialEq)]
pub struct ArmResponse {
    pub status: u16,
    /// The service's clock.
    pub date: Option<Timestamp>,
    /// Whether that clock is a virtual one, which a person moves (`x-kluis-clock: virtual`).
    pub virtual_clock: bool,
    /// How long the service wants to be left alone.
    pub retry_after: Option<SignedDuration>,
    /// The URL of the status document of a long-running operation.
    pub async_operation: Option<String>,
    /// The URL of the result of a long-running operation.
    pub location: Option<String>,
    /// The smallest of the `x-ms-ratelimit-remaining-*` headers: calls left before the service throttles.
    pub rate_limit_remaining: Option<u32>,
    /// None for an empty body (202 and 204 have none).
    pub body: Option<Value>,
}

impl ArmResponse {
    /// An answer with nothing but a status, for those who make answers themselves.
    pub fn of_status(status: u16) -> Self {
        Self {
            status,
            date: None,
            virtual_clock: false,
            retry_after: None,
            async_operation: None,
            location: None,
            rate_limit_remaining: None,
            body: None,
        }
    }
}
