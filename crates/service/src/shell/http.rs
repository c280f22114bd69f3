//! HTTP on the outside, requests and responses of the core on the inside.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use axum::routing::{any, get, post};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::advance;
use super::browse::{self, Browser};
use super::cloud;
use super::engine::Engine;
use super::sign_in::SignIn;
use super::throttle::Throttle;
use crate::core::{self, Principal, Query, Refusal, Role};
use crate::extension;

/// The largest body that is read. Azure's own requests are a few kilobytes.
const LARGEST_BODY: usize = 1 << 20;
/// How long a body may take to arrive.
const SLOWEST_BODY: Duration = Duration::from_secs(30);
/// How many requests are worked on or wait for the core at once.
const MOST_REQUESTS: usize = 256;

/// What every request needs.
pub(super) struct App {
    pub(super) engine: Arc<Engine>,
    pub(super) sign_in: SignIn,
    pub(super) endpoint: String,
    pub(super) browser: Browser,
    throttle: Throttle,
    places: Semaphore,
}

impl App {
    pub(super) fn new(
        engine: Arc<Engine>,
        sign_in: SignIn,
        endpoint: String,
        browser: Browser,
        throttle: Throttle,
    ) -> Arc<Self> {
        Arc::new(Self {
            engine,
            sign_in,
            endpoint,
            browser,
            throttle,
            places: Semaphore::new(MOST_REQUESTS),
        })
    }
}

/// What is served over TLS.
pub(super) fn secure(app: Arc<App>) -> Router {
    Router::new()
        .route("/healthz", get(healthy))
        .route("/metadata/endpoints", get(metadata))
        .route("/{tenant}/oauth2/v2.0/token", post(token))
        .route(
            "/{tenant}/v2.0/.well-known/openid-configuration",
            get(openid),
        )
        .route("/_kluis/clock", any(clock))
        .fallback(arm)
        .with_state(app)
}

/// What is served in the clear, on the loopback alone.
pub(super) fn plain(app: Arc<App>) -> Router {
    Router::new()
        .route("/healthz", get(healthy))
        .route("/msi/token", get(managed))
        .fallback(nothing)
        .with_state(app)
}

async fn healthy(State(app): State<Arc<App>>) -> Response {
    app.json(200, &json!({ "status": "ok" }))
}

async fn metadata(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    app.json(
        200,
        &cloud::endpoints(&app.origin(&headers), &app.engine.tenant),
    )
}

async fn openid(
    State(app): State<Arc<App>>,
    Path(tenant): Path<String>,
    headers: HeaderMap,
) -> Response {
    // Clients that don't know their tenant yet ask for one of these.
    let known = [app.engine.tenant.as_str(), "common", "organizations"];
    if known
        .iter()
        .any(|known| known.eq_ignore_ascii_case(&tenant))
    {
        return app.json(
            200,
            &cloud::openid(&app.origin(&headers), &app.engine.tenant),
        );
    }
    let message = format!(
        "AADSTS90002: Tenant '{tenant}' not found; this service has '{}'.",
        app.engine.tenant
    );
    app.json(
        400,
        &json!({ "error": "invalid_tenant", "error_description": message }),
    )
}

async fn token(
    State(app): State<Arc<App>>,
    Path(tenant): Path<String>,
    request: Request,
) -> Response {
    let origin = app.origin(request.headers());
    match body(request).await {
        Ok(form) => {
            let (status, told) =
                app.sign_in
                    .token(&tenant, &String::from_utf8_lossy(&form), &origin);
            app.json(status, &told)
        }
        Err(refusal) => app.respond(refusal.response()),
    }
}

async fn managed(State(app): State<Arc<App>>, request: Request) -> Response {
    let header = request
        .headers()
        .get("x-identity-header")
        .and_then(|value| value.to_str().ok());
    let query = Query::parse(request.uri().query().unwrap_or_default());
    let (status, told) = app.sign_in.managed(header, &query, &app.endpoint);
    app.json(status, &told)
}

async fn nothing(State(app): State<Arc<App>>) -> Response {
    let message = "Only /healthz and /msi/token are served without TLS; everything else is at the HTTPS address.";
    app.respond(Refusal::not_found("HttpsRequired", message).response())
}

async fn clock(State(app): State<Arc<App>>, request: Request) -> Response {
    let principal = match app.caller(request.headers()) {
        Ok(principal) => principal,
        Err(response) => return *response,
    };
    let method = request.method().clone();
    if method == http::Method::GET {
        let engine = Arc::clone(&app.engine);
        return match tokio::task::spawn_blocking(move || advance::show(&engine)).await {
            Ok(Ok(shown)) => app.json(200, &shown),
            Ok(Err(error)) => app.respond(Refusal::from(error).response()),
            Err(error) => app.failed(&error),
        };
    }
    if method != http::Method::POST {
        return app.respond(Refusal::wrong_method(&method, "/_kluis/clock").response());
    }
    if principal.role < Role::Owner {
        let message = format!(
            "Only an Owner may move the clock; '{}' is {:?}.",
            principal.client_id, principal.role
        );
        return app.respond(
            Refusal::new(403, kluis_arm::error::code::AUTHORIZATION_FAILED, message).response(),
        );
    }
    let body = match body(request).await {
        Ok(body) => body,
        Err(refusal) => return app.respond(refusal.response()),
    };
    // Once begun it is lived to its end, whether or not the caller still listens.
    let engine = Arc::clone(&app.engine);
    match tokio::task::spawn_blocking(move || advance::asked(&engine, &body)).await {
        Ok(Ok(done)) => app.json(200, &done),
        Ok(Err(refusal)) => app.respond(refusal.response()),
        Err(error) => app.failed(&error),
    }
}

async fn arm(State(app): State<Arc<App>>, request: Request) -> Response {
    let id = uuid::Uuid::new_v4().to_string();
    let echo = request.headers().get("x-ms-client-request-id").cloned();
    let mut response = answer(&app, &id, request).await;
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(&id) {
        headers.insert("x-ms-request-id", value.clone());
        headers.insert("x-ms-correlation-request-id", value);
    }
    if let Some(echo) = echo {
        headers.insert("x-ms-client-request-id", echo);
    }
    response
}

async fn answer(app: &Arc<App>, id: &str, request: Request) -> Response {
    let principal = match app.caller(request.headers()) {
        Ok(principal) => principal,
        Err(response) => return *response,
    };
    if let Err((refusal, seconds)) = app.throttle.admit(request.method(), request.uri().path()) {
        let response = refusal.response();
        return app.respond(response.with("Retry-After", seconds.to_string()));
    }
    let Ok(_place) = app.places.try_acquire() else {
        let refusal = Refusal::new(
            503,
            "ServiceUnavailable",
            "The service has more requests than it can take; try again.",
        );
        return app.respond(refusal.response().with("Retry-After", "1"));
    };
    let request = match app.request(id, principal, request).await {
        Ok(request) => request,
        Err(refusal) => return app.respond(refusal.response()),
    };
    if extension::is_of(&request.path) {
        return browse::answer(app, request).await;
    }
    let engine = Arc::clone(&app.engine);
    match tokio::task::spawn_blocking(move || (engine.answer(&request), request)).await {
        Ok((response, request)) => {
            tracing::debug!(id, method = %request.method, path = %request.path, status = response.status, "answered");
            app.respond(response)
        }
        Err(error) => app.failed(&error),
    }
}

impl App {
    async fn request(
        &self,
        id: &str,
        principal: Principal,
        request: Request,
    ) -> Result<core::Request, Refusal> {
        let origin = self.origin(request.headers());
        let text = |(name, value): (&header::HeaderName, &HeaderValue)| {
            let value = value.to_str().ok()?;
            (name != header::AUTHORIZATION).then(|| (name.as_str().to_owned(), value.to_owned()))
        };
        Ok(core::Request {
            method: request.method().clone(),
            path: request.uri().path().to_owned(),
            query: Query::parse(request.uri().query().unwrap_or_default()),
            headers: request.headers().iter().filter_map(text).collect(),
            principal,
            id: id.to_owned(),
            origin,
            body: body(request).await?,
        })
    }

    /// Who is calling, or the 401 that says why that is not known.
    fn caller(&self, headers: &HeaderMap) -> Result<Principal, Box<Response>> {
        let authorization = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok());
        self.sign_in.caller(authorization).map_err(|(code, message)| {
            let challenge = format!(
                "Bearer authorization_uri=\"{}/{}\", error=\"invalid_token\", error_description=\"{code}\"",
                self.origin(headers),
                self.engine.tenant
            );
            let refusal = Refusal::new(401, code, message);
            Box::new(self.respond(refusal.response().with("WWW-Authenticate", challenge)))
        })
    }

    /// Scheme and host as the client wrote them; what doesn't look like a host is not repeated.
    fn origin(&self, headers: &HeaderMap) -> String {
        let host = headers
            .get(header::HOST)
            .and_then(|host| host.to_str().ok());
        let fits = |host: &&str| {
            !host.is_empty()
                && host.len() < 256
                && host
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || ".:-[]".contains(c))
        };
        host.filter(fits)
            .map_or_else(|| self.endpoint.clone(), |host| format!("https://{host}"))
    }

    fn json(&self, status: u16, body: &Value) -> Response {
        self.respond(core::Response::json(status, body.clone()))
    }

    pub(super) fn failed(&self, error: &tokio::task::JoinError) -> Response {
        tracing::error!(%error, "a request was not answered");
        let message = "The service failed to answer; nothing was changed. Its log has the cause.";
        self.respond(Refusal::new(500, kluis_arm::error::code::INTERNAL, message).response())
    }

    /// The response on the wire, dated by the service's clock: clients take the time from it, virtual or not.
    pub(super) fn respond(&self, response: core::Response) -> Response {
        let mut wire = Response::new(
            response
                .body
                .map_or_else(Body::empty, |body| Body::from(body.to_string())),
        );
        *wire.status_mut() =
            StatusCode::from_u16(response.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = wire.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json; charset=utf-8"),
        );
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        let date = jiff::fmt::rfc2822::DateTimePrinter::new()
            .timestamp_to_rfc9110_string(&self.engine.now());
        if let Some(date) = date.ok().and_then(|date| HeaderValue::from_str(&date).ok()) {
            headers.insert(header::DATE, date);
        }
        for (name, value) in response.headers {
            if let (Ok(name), Ok(value)) = (
                name.parse::<header::HeaderName>(),
                HeaderValue::from_str(&value),
            ) {
                headers.insert(name, value);
            }
        }
        wire
    }
}

async fn body(request: Request) -> Result<Vec<u8>, Refusal> {
    let reading = tokio::time::timeout(SLOWEST_BODY, to_bytes(request.into_body(), LARGEST_BODY));
    let read = reading.await.map_err(|_| {
        Refusal::new(
            408,
            "RequestTimeout",
            "The request's body did not arrive in time.",
        )
    })?;
    let body = read.map_err(|_| {
        let message =
            format!("The request's body is larger than {LARGEST_BODY} bytes, or was cut off.");
        Refusal::new(413, "RequestEntityTooLarge", message)
    })?;
    Ok(body.to_vec())
}
