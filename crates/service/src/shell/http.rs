//! HTTP on the outside, requests and responses of the core on the inside.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Path, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::response::Response;
use axum::routing::{get, post};
use serde_json::{Value, json};

use super::advance;
use super::audit::Trail;
use super::browse::{self, Browser};
use super::connections::{Connections, network};
use super::engine::Engine;
use super::guesses::Guesses;
use super::limits::Limits;
use super::metrics::Counters;
use super::recorded::{self, Asked, Caller, Code, Id, recorded};
use super::shares::{Full, Share, Shares};
use super::sign_in::{SignIn, Told};
use super::throttle::Throttle;
use super::{body, cloud};
use crate::core::{self, Principal, Query, Refusal, Role};
use crate::extension;

/// Where the virtual clock is moved.
const CLOCK: &str = "/_kluis/clock";
/// Says of an answer that its `Date` is another than the world's on purpose, so that nobody takes a leap of it for a fault.
const CLOCK_KIND: header::HeaderName = header::HeaderName::from_static("x-kluis-clock");

/// What every request needs.
pub(super) struct App {
    pub(super) engine: Arc<Engine>,
    pub(super) sign_in: SignIn,
    pub(super) endpoint: String,
    pub(super) browser: Browser,
    pub(super) counters: Counters,
    pub(super) connections: Arc<Connections>,
    pub(super) limits: Limits,
    pub(super) trail: Arc<Trail>,
    guesses: Guesses,
    throttle: Throttle,
    requests: Arc<Shares>,
    bodies: Arc<Shares>,
}

/// What an app is made of.
pub(super) struct Parts {
    pub(super) engine: Arc<Engine>,
    pub(super) sign_in: SignIn,
    pub(super) endpoint: String,
    pub(super) browser: Browser,
    pub(super) throttle: Throttle,
    pub(super) limits: Limits,
    pub(super) trail: Arc<Trail>,
}

impl App {
    pub(super) fn new(parts: Parts) -> Arc<Self> {
        let counters = Counters::default();
        let limits = parts.limits;
        Arc::new(Self {
            engine: parts.engine,
            sign_in: parts.sign_in,
            endpoint: parts.endpoint,
            browser: parts.browser,
            connections: Connections::new(limits, counters.clone()),
            counters,
            limits,
            trail: parts.trail,
            guesses: Guesses::default(),
            throttle: parts.throttle,
            requests: Shares::new(limits.requests, limits.requests_per_identity),
            bodies: Shares::new(limits.connections, limits.bodies_per_caller),
        })
    }
}

/// What is served over TLS.
pub(super) fn secure(app: Arc<App>) -> Router {
    Router::new()
        .route("/healthz", get(healthy))
        .route("/metadata/endpoints", get(metadata))
        .route(recorded::TOKEN, post(token))
        .route(
            "/{tenant}/v2.0/.well-known/openid-configuration",
            get(openid),
        )
        .fallback(arm)
        .layer(from_fn_with_state(Arc::clone(&app), recorded))
        .with_state(app)
}

/// What is served in the clear, on the loopback alone.
pub(super) fn plain(app: Arc<App>) -> Router {
    Router::new()
        .route("/healthz", get(healthy))
        .route(recorded::MANAGED, get(managed))
        .fallback(nothing)
        .layer(from_fn_with_state(Arc::clone(&app), recorded))
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
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    Path(tenant): Path<String>,
    request: Request,
) -> Response {
    let asked = Asked::new(&request, peer);
    let origin = app.origin(request.headers());
    let stranger = network(peer.ip()).to_string();
    match app
        .body(&stranger, request, &app.limits.of_strangers())
        .await
    {
        Ok(form) => {
            let form = String::from_utf8_lossy(&form);
            let told = app.sign_in.token(&tenant, &form, &origin);
            app.answer_sign_in(&asked, peer, told).await
        }
        Err(refusal) => {
            app.signed_in(&asked, None, refusal.status, Some(refusal.code.clone()));
            told(app.respond(refusal.response()))
        }
    }
}

async fn managed(
    State(app): State<Arc<App>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    let asked = Asked::new(&request, peer);
    let header = request
        .headers()
        .get("x-identity-header")
        .and_then(|value| value.to_str().ok());
    let query = Query::parse(request.uri().query().unwrap_or_default());
    let told = app.sign_in.managed(header, &query, &app.endpoint);
    app.answer_sign_in(&asked, peer, told).await
}

async fn nothing(State(app): State<Arc<App>>) -> Response {
    let message = "Only /healthz and /msi/token are served without TLS; everything else is at the HTTPS address.";
    app.respond(Refusal::not_found("HttpsRequired", message).response())
}

async fn move_clock(
    app: &Arc<App>,
    id: &str,
    peer: SocketAddr,
    principal: Principal,
    request: Request,
) -> Response {
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
        return app.respond(Refusal::wrong_method(&method, CLOCK).response());
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
    let asked = Asked::new(&request, peer);
    let body = app.body(&principal.client_id, request, &app.limits).await;
    let body = match body.and_then(|body| app.begins(&asked, &principal, id).map(|()| body)) {
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

async fn arm(
    State(app): State<Arc<App>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    let id = uuid::Uuid::new_v4().to_string();
    let echo = request.headers().get("x-ms-client-request-id").cloned();
    let mut response = match app.caller(request.headers()) {
        Ok(principal) => {
            let _at_work = app.connections.at_work(peer);
            let caller = Caller(principal.clone());
            let mut response = answer(&app, &id, peer, principal, request).await;
            response.extensions_mut().insert(caller);
            response
        }
        Err(response) => *response,
    };
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(&id) {
        headers.insert("x-ms-request-id", value.clone());
        headers.insert("x-ms-correlation-request-id", value);
    }
    if let Some(echo) = echo {
        headers.insert("x-ms-client-request-id", echo);
    }
    response.extensions_mut().insert(Id(id));
    response
}

async fn answer(
    app: &Arc<App>,
    id: &str,
    peer: SocketAddr,
    principal: Principal,
    request: Request,
) -> Response {
    if request.uri().path() == CLOCK {
        return move_clock(app, id, peer, principal, request).await;
    }
    if let Err((refusal, seconds)) = app.throttle.admit(request.method(), request.uri().path()) {
        let response = refusal.response();
        return app.respond(response.with("Retry-After", seconds.to_string()));
    }
    let asked = Asked::new(&request, peer);
    let request = match app.request(id, principal, request).await {
        Ok(request) => request,
        Err(refusal) => return app.respond(refusal.response()),
    };
    let _place = match app.requests.take(&request.principal.client_id) {
        Ok(place) => place,
        Err(full) => return app.respond(too_many(full).response()),
    };
    if let Err(refusal) = app.begins(&asked, &request.principal, id) {
        return app.respond(refusal.response());
    }
    if extension::is_of(&request.path) {
        return browse::answer(app, request).await;
    }
    let _turn = app.engine.turns.acquire().await;
    let (at_work, id) = (Arc::clone(app), id.to_owned());
    let answered = tokio::task::spawn_blocking(move || {
        let response = at_work.engine.answer(&request);
        tracing::debug!(id, method = %request.method, path = %request.path, status = response.status, "answered");
        at_work.respond(response)
    });
    match answered.await {
        Ok(response) => response,
        Err(error) => app.failed(&error),
    }
}

impl App {
    /// Answers an attempt to sign in, once the trail has it; later where others failed before.
    async fn answer_sign_in(&self, asked: &Asked, peer: SocketAddr, told: Told) -> Response {
        let code = told.code();
        self.signed_in(asked, told.identity.as_ref(), told.status, code);
        let identity = told.identity.as_ref().map(|known| known.client_id.as_str());
        let failed = told.status == 401;
        let wait = self
            .guesses
            .wait(peer.ip(), identity, failed, Instant::now());
        tokio::time::sleep(wait).await;
        self::told(self.json(told.status, &told.body))
    }

    async fn request(
        &self,
        id: &str,
        principal: Principal,
        request: Request,
    ) -> Result<core::Request, Refusal> {
        let origin = self.origin(request.headers());
        let who = principal.client_id.clone();
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
            body: self.body(&who, request, &self.limits).await?,
        })
    }

    /// A request's body, when this caller does not send too many at once.
    async fn body(&self, who: &str, request: Request, limits: &Limits) -> Result<Vec<u8>, Refusal> {
        let _place: Share = self.bodies.take(who).map_err(too_many)?;
        body::read(request.into_body(), limits).await
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
        let code = response.body.as_ref().and_then(|body| {
            let code = body.pointer("/error/code")?.as_str()?;
            (response.status >= 400).then(|| code.to_owned())
        });
        let mut wire = Response::new(
            response
                .body
                .map_or_else(Body::empty, |body| Body::from(body.to_string())),
        );
        if let Some(code) = code {
            wire.extensions_mut().insert(Code(code));
        }
        if let Some(nearer) = response.nearer {
            wire.extensions_mut().insert(nearer);
        }
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
        if self.engine.clock.is_virtual() {
            headers.insert(CLOCK_KIND, HeaderValue::from_static("virtual"));
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

/// Says of an answer that the trail has it.
fn told(mut response: Response) -> Response {
    response.extensions_mut().insert(recorded::Told);
    response
}

/// Why a caller is not served just now.
fn too_many(full: Full) -> Refusal {
    let refusal = match full {
        Full::Own => Refusal::new(
            429,
            kluis_arm::error::code::THROTTLED,
            "This caller has as many requests under way as one may have at once; wait for some of them, then try again.",
        ),
        Full::All => Refusal::new(
            503,
            "ServiceUnavailable",
            "The service has more requests than it can take; try again.",
        ),
    };
    refusal.retry_after(1)
}
