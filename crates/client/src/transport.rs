//! The socket: one reqwest client that trusts what it is told to, follows no redirect and reads no endless body.

use std::{sync::Arc, time::Duration};

use azure_core::{
    error::ErrorKind,
    http::{AsyncRawResponse, ClientOptions, HttpClient, Request, RetryOptions, Transport},
};
use futures::StreamExt;

use crate::{Failure, failure};

/// The largest body that is read, in bytes. ARM's largest lists are pages of a few hundred kilobytes.
pub(crate) const MAX_BODY: usize = 16 << 20;

const CONNECT: Duration = Duration::from_secs(10);
/// An answer that takes longer than this is as good as none: the reconcile comes back.
const ANSWER: Duration = Duration::from_secs(60);

/// Options for a pipeline over this transport. Retries are off: azure_core sleeps as long as `Retry-After` says,
/// without a cap, and the operator has a queue to wait in.
pub(crate) fn client_options(transport: &Arc<dyn HttpClient>) -> ClientOptions {
    ClientOptions {
        retry: RetryOptions::none(),
        transport: Some(Transport::new(Arc::clone(transport))),
        ..ClientOptions::default()
    }
}

/// A transport that trusts `ca_bundle` (PEM, one certificate or several) and nothing else, or the system's roots
/// when there is none.
pub(crate) fn transport(ca_bundle: Option<&str>) -> Result<Arc<dyn HttpClient>, Failure> {
    let mut builder = reqwest::Client::builder()
        .connect_timeout(CONNECT)
        .timeout(ANSWER)
        .redirect(reqwest::redirect::Policy::none());
    if let Some(pem) = ca_bundle {
        let roots = reqwest::Certificate::from_pem_bundle(pem.as_bytes())
            .map_err(|error| failure::misconfigured("spec.caBundle", &error))?;
        if roots.is_empty() {
            return Err(failure::misconfigured(
                "spec.caBundle",
                &"there is no PEM certificate in it",
            ));
        }
        builder = builder.tls_certs_only(roots);
    }
    let client = builder
        .build()
        .map_err(|error| failure::misconfigured("the TLS configuration", &error))?;
    Ok(Arc::new(Bounded(client)))
}

/// A client whose bodies end.
#[derive(Debug)]
struct Bounded(reqwest::Client);

#[async_trait::async_trait]
impl HttpClient for Bounded {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let (status, headers, mut body) = self.0.execute_request(request).await?.deconstruct();
        let mut bytes = Vec::new();
        while let Some(chunk) = body.next().await {
            let chunk = chunk?;
            if bytes.len() + chunk.len() > MAX_BODY {
                return Err(azure_core::Error::with_message(
                    ErrorKind::DataConversion,
                    format!("the answer is larger than {MAX_BODY} bytes"),
                ));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(AsyncRawResponse::from_bytes(status, headers, bytes))
    }
}
