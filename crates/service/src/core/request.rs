//! A request as the core sees it: already read, bounded and authenticated.

use http::Method;
use percent_encoding::percent_decode_str;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Refusal;

/// What a caller may do. The order is that of power.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
pub enum Role {
    /// Reads.
    Reader,
    /// Reads and writes.
    Contributor,
    /// Everything, the service's own clock included.
    Owner,
}

/// Who is calling, as its token said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// The application id.
    pub client_id: String,
    /// Its role.
    pub role: Role,
}

/// A query string, decoded: `%20` and `+` are both a blank.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// Decodes a query string as it came, without its `?`. What is not UTF-8 becomes U+FFFD.
    #[must_use]
    pub fn parse(raw: &str) -> Self {
        let plain = |text: &str| {
            let blanks = text.replace('+', " ");
            percent_decode_str(&blanks).decode_utf8_lossy().into_owned()
        };
        Self(
            raw.split('&')
                .filter(|pair| !pair.is_empty())
                .map(|pair| {
                    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                    (plain(name), plain(value))
                })
                .collect(),
        )
    }

    /// The first value by this name, whatever its case.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, v)| v.as_str())
    }

    /// The `$filter`, when there is one that says something.
    #[must_use]
    pub fn filter(&self) -> Option<&str> {
        self.get("$filter")
            .filter(|filter| !filter.trim().is_empty())
    }

    /// All pairs in the order they came.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(n, v)| (n.as_str(), v.as_str()))
    }
}

/// One request to ARM.
#[derive(Debug, Clone)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The path as it came: percent-encoded, in the client's case.
    pub path: String,
    /// The query, decoded.
    pub query: Query,
    /// The headers the core may look at; names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body as it came; at most what the shell lets through.
    pub body: Vec<u8>,
    /// Who calls.
    pub principal: Principal,
    /// The request's own id, answered as `x-ms-request-id`.
    pub id: String,
    /// Scheme and host under which the client reached us, without a trailing slash: what links in answers begin with.
    pub origin: String,
}

impl Request {
    /// The api-version that the client asked for. Present and accepted once the router has let the request through.
    #[must_use]
    pub fn api_version(&self) -> &str {
        self.query.get("api-version").unwrap_or_default()
    }

    /// A header's value by its lower-case name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.as_str())
    }

    /// The body as JSON; `None` when there is none.
    ///
    /// # Errors
    /// 400 `InvalidRequestContent` when it is not JSON.
    pub fn json(&self) -> Result<Option<Value>, Refusal> {
        if self.body.iter().all(u8::is_ascii_whitespace) {
            return Ok(None);
        }
        serde_json::from_slice(&self.body)
            .map(Some)
            .map_err(|error| Self::invalid_content(&error))
    }

    /// The body as a value of the wire.
    ///
    /// # Errors
    /// 400 `InvalidRequestContent` when there is no body, when it is not JSON or when it is not of this shape.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        serde_json::from_slice(&self.body).map_err(|error| Self::invalid_content(&error))
    }

    fn invalid_content(error: &serde_json::Error) -> Refusal {
        Refusal::bad_request(
            "InvalidRequestContent",
            format!("The request content was invalid and could not be deserialized: '{error}'."),
        )
    }
}
