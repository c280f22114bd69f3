//! The client that owns a socket.

use std::sync::Arc;

use async_trait::async_trait;
use azure_core::{
    credentials::TokenCredential,
    http::{
        Context, HttpClient, Pipeline, PipelineSendOptions, RawResponse, Request, Url,
        headers::HeaderName, policies::auth::BearerTokenAuthorizationPolicy,
    },
};
use serde_json::Value;
use tracing::debug;

use crate::{
    Arm, ArmRequest, ArmResponse, Credential, Failure, Method,
    cloud::{self, Cloud},
    credential, failure, header, link,
    transport::{client_options, transport},
};

/// The api-version of the cloud metadata document.
const METADATA: &str = "2022-09-01";

/// Where the service is and who we are there.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// `https://management.azure.com`, or what `kluis service` printed; https always.
    pub url: String,
    /// PEM certificates to trust instead of the system's, for an endpoint with a CA of its own.
    pub ca_bundle: Option<String>,
    /// The Entra tenant; the endpoint's own when absent and the endpoint names one.
    pub tenant_id: Option<String>,
    pub credential: Credential,
}

/// ARM at one endpoint, as one identity. Cheap to share; tokens are cached inside and never shown.
#[derive(Debug)]
pub struct ArmClient {
    endpoint: Url,
    authority: String,
    pipeline: Pipeline,
}

impl ArmClient {
    /// Learns which cloud the endpoint belongs to, and makes a client for it. No token is asked yet: the first call
    /// does that.
    ///
    /// # Errors
    /// [`Failure::Misconfigured`] for an endpoint, CA or credential that cannot be used; the transport's failures
    /// when the endpoint must be asked for its metadata and doesn't answer.
    pub async fn connect(endpoint: &Endpoint) -> Result<Self, Failure> {
        let url = parse_endpoint(&endpoint.url)?;
        let transport = transport(endpoint.ca_bundle.as_deref())?;
        let cloud = match cloud::public(&url)? {
            Some(cloud) => cloud,
            None => ask_metadata(&url, &transport).await?,
        };
        let token = credential::token_credential(
            &endpoint.credential,
            endpoint.tenant_id.as_deref(),
            &cloud,
            &transport,
        )?;
        Ok(Self::new(url, &cloud, token, &transport))
    }

    /// Whether this is Azure itself, which counts what it is asked.
    #[must_use]
    pub fn is_public_azure(&self) -> bool {
        matches!(cloud::public(&self.endpoint), Ok(Some(_)))
    }

    /// The answer as it came, also where it is a refusal.
    pub(crate) async fn raw(&self, request: &ArmRequest) -> Result<RawResponse, Failure> {
        send(&self.pipeline, &self.endpoint, request)
            .await
            .map_err(|error| Failure::from_azure(error, self.endpoint.as_str(), &self.authority))
    }

    fn new(
        endpoint: Url,
        cloud: &Cloud,
        token: Arc<dyn TokenCredential>,
        transport: &Arc<dyn HttpClient>,
    ) -> Self {
        let bearer = BearerTokenAuthorizationPolicy::new(token, [cloud.scope.clone()]);
        Self {
            endpoint,
            authority: cloud.authority.to_string(),
            pipeline: Pipeline::new(
                option_env!("CARGO_PKG_NAME"),
                option_env!("CARGO_PKG_VERSION"),
                client_options(transport),
                Vec::new(),
                vec![Arc::new(bearer)],
                None,
            ),
        }
    }
}

#[async_trait]
impl Arm for ArmClient {
    async fn call(&self, request: &ArmRequest) -> Result<ArmResponse, Failure> {
        let answer = self.raw(request).await?;
        debug!(%request, status = u16::from(answer.status()), "ARM answered");
        read(&self.endpoint, request, &answer)
    }

    fn follow(&self, link: &str) -> Result<ArmRequest, Failure> {
        link::follow(&self.endpoint, link)
    }
}

/// An endpoint is https and a host: with a path, a query or a user in it, it is a mistake.
fn parse_endpoint(url: &str) -> Result<Url, Failure> {
    let wrong = |problem: &dyn std::fmt::Display| failure::misconfigured("spec.endpoint", problem);
    let url = Url::parse(url).map_err(|error| wrong(&error))?;
    if url.scheme() != "https" {
        return Err(wrong(&"it must be https, because requests carry a token"));
    }
    if url.path() != "/" || url.query().is_some() || !url.username().is_empty() {
        return Err(wrong(
            &"it must be a scheme, a host and a port, and nothing else",
        ));
    }
    Ok(url)
}

/// Asks the endpoint where its tokens come from. No token goes along: this is how one is learnt of.
async fn ask_metadata(endpoint: &Url, transport: &Arc<dyn HttpClient>) -> Result<Cloud, Failure> {
    let request = ArmRequest::get("/metadata/endpoints", METADATA);
    let pipeline = Pipeline::new(
        option_env!("CARGO_PKG_NAME"),
        option_env!("CARGO_PKG_VERSION"),
        client_options(transport),
        Vec::new(),
        Vec::new(),
        None,
    );
    let answer = send(&pipeline, endpoint, &request)
        .await
        .map_err(|error| Failure::from_azure(error, endpoint.as_str(), endpoint.as_str()))?;
    let answer = read(endpoint, &request, &answer)?;
    cloud::from_metadata(endpoint, &answer.body.unwrap_or_default())
}

async fn send(
    pipeline: &Pipeline,
    endpoint: &Url,
    request: &ArmRequest,
) -> azure_core::Result<RawResponse> {
    let method = match request.method {
        Method::Get => azure_core::http::Method::Get,
        Method::Put => azure_core::http::Method::Put,
        Method::Patch => azure_core::http::Method::Patch,
        Method::Post => azure_core::http::Method::Post,
        Method::Delete => azure_core::http::Method::Delete,
    };
    let mut raw = Request::new(link::address(endpoint, request), method);
    raw.insert_header("accept", "application/json");
    if let Some(id) = &request.client_request_id {
        raw.insert_header("x-ms-client-request-id", id.clone());
    }
    if let Some(body) = &request.body {
        raw.insert_header("content-type", "application/json");
        raw.set_body(body.to_string());
    }
    // Without azure_core's own check a refusal comes back as an answer, with its headers.
    let unchecked = PipelineSendOptions {
        skip_checks: true,
        ..PipelineSendOptions::default()
    };
    pipeline
        .send(&Context::new(), &mut raw, Some(unchecked))
        .await
}

fn read(
    endpoint: &Url,
    request: &ArmRequest,
    answer: &RawResponse,
) -> Result<ArmResponse, Failure> {
    let text = |name: &'static str| {
        answer
            .headers()
            .get_optional_str(&HeaderName::from_static(name))
    };
    let status = u16::from(answer.status());
    let date = text("date").and_then(header::http_date);
    let retry_after = text("retry-after").and_then(|value| header::retry_after(value, date));
    let body: &[u8] = answer.body().as_ref();
    if status == 401 {
        return Err(Failure::Credential {
            authority: endpoint.to_string(),
            message: match Failure::refused(request.to_string(), status, body, None, date) {
                Failure::Refused(refusal) => refusal.message,
                other => other.to_string(),
            },
        });
    }
    if status >= 300 {
        return Err(Failure::refused(
            request.to_string(),
            status,
            body,
            retry_after,
            date,
        ));
    }
    let body: Option<Value> = match body {
        [] => None,
        body => Some(
            serde_json::from_slice(body).map_err(|error| Failure::Unreadable {
                operation: request.to_string(),
                problem: format!("a body that is not JSON ({error})"),
            })?,
        ),
    };
    Ok(ArmResponse {
        status,
        date,
        virtual_clock: text("x-kluis-clock") == Some("virtual"),
        retry_after,
        async_operation: text("azure-asyncoperation").map(str::to_owned),
        location: text("location").map(str::to_owned),
        rate_limit_remaining: header::rate_limit_remaining(
            answer
                .headers()
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str())),
        ),
        body,
    })
}
