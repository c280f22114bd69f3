//! A response as the core gives it: status, headers and JSON.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

/// One response; the shell adds the date, the request id and the content type.
#[derive(Debug, Clone, PartialEq)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// Headers beyond those that every response has.
    pub headers: Vec<(&'static str, String)>,
    /// The body; `None` is an empty one.
    pub body: Option<Value>,
    /// The recovery points that end earlier because of the request, for the audit trail.
    pub nearer: Option<Nearer>,
}

/// The recovery points whose ends came nearer, and the one of them that ends first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Nearer {
    /// How many.
    pub points: usize,
    /// When the one was made.
    pub made: Timestamp,
    /// Until when it would have been kept; none where nothing ended that.
    pub before: Option<Timestamp>,
    /// Until when it is kept now.
    pub after: Option<Timestamp>,
}

impl Response {
    /// A response with a JSON body.
    #[must_use]
    pub fn json(status: u16, body: Value) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Some(body),
            nearer: None,
        }
    }

    /// 200 with a JSON body.
    #[must_use]
    pub fn ok(body: Value) -> Self {
        Self::json(200, body)
    }

    /// A response without a body.
    #[must_use]
    pub fn empty(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: None,
            nearer: None,
        }
    }

    /// The same response with one more header.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The same response of a request that may have brought ends of recovery points nearer.
    #[must_use]
    pub fn bringing(mut self, nearer: Option<Nearer>) -> Self {
        self.nearer = nearer;
        self
    }

    /// A header's value.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, v)| v.as_str())
    }
}
