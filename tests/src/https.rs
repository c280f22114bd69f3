//! One blocking HTTPS client for the API server and for the service, so that a
//! test reads as the exchange that it is.

use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Context, Result};
use reqwest::header::HeaderMap;
use reqwest::{Certificate, Client, Method};
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};

/// A client that trusts one CA and carries one token.
#[derive(Debug, Clone)]
pub struct Https {
    client: Client,
    base: String,
    token: Option<String>,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    /// Null when there was no body, or when it was not JSON.
    pub body: Value,
    pub text: String,
}

impl Answer {
    /// A header's text, empty when it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }
}

impl Https {
    /// `base` is what every path is appended to, without a slash at its end.
    pub fn new(base: &str, ca_pem: &str, token: Option<&str>) -> Result<Self> {
        let ca =
            Certificate::from_pem(ca_pem.as_bytes()).context("reading the CA's certificate")?;
        let client = Client::builder()
            .tls_certs_only([ca])
            .no_proxy()
            .timeout(Duration::from_secs(300))
            .build()?;
        Ok(Self {
            client,
            base: base.to_owned(),
            token: token.map(str::to_owned),
        })
    }

    /// The same client with another token.
    #[must_use]
    pub fn with_token(&self, token: Option<&str>) -> Self {
        Self {
            token: token.map(str::to_owned),
            ..self.clone()
        }
    }

    pub fn get(&self, path: &str) -> Result<Answer> {
        self.send("GET", path, None)
    }

    pub fn put(&self, path: &str, body: &Value) -> Result<Answer> {
        self.send("PUT", path, Some(body))
    }

    pub fn post(&self, path: &str, body: &Value) -> Result<Answer> {
        self.send("POST", path, Some(body))
    }

    /// A JSON merge patch (RFC 7386).
    pub fn merge(&self, path: &str, body: &Value) -> Result<Answer> {
        self.raw(
            "PATCH",
            path,
            Some(("application/merge-patch+json", body.to_string())),
        )
    }

    pub fn send(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Answer> {
        self.raw(
            method,
            path,
            body.map(|body| ("application/json", body.to_string())),
        )
    }

    /// Any body at all, with the type that it claims to have. `path` may be a
    /// whole URL, as the headers of long-running operations carry them.
    pub fn raw(&self, method: &str, path: &str, body: Option<(&str, String)>) -> Result<Answer> {
        let url = if path.starts_with("http") {
            path.to_owned()
        } else {
            format!("{}{path}", self.base)
        };
        let mut request = self
            .client
            .request(Method::from_bytes(method.as_bytes())?, &url);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let Some((kind, text)) = body {
            request = request.header("content-type", kind).body(text);
        }
        runtime()?.block_on(async {
            let response = request
                .send()
                .await
                .with_context(|| format!("{method} {url}"))?;
            let (status, headers) = (response.status().as_u16(), response.headers().clone());
            let text = response
                .text()
                .await
                .with_context(|| format!("reading the answer to {method} {url}"))?;
            let body = serde_json::from_str(&text).unwrap_or(Value::Null);
            Ok(Answer {
                status,
                headers,
                body,
                text,
            })
        })
    }
}

fn runtime() -> Result<&'static Runtime> {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    if let Some(runtime) = RUNTIME.get() {
        return Ok(runtime);
    }
    let made = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .context("starting the HTTP client's runtime")?;
    Ok(RUNTIME.get_or_init(|| made))
}
