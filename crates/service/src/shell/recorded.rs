//! What is written of a request: its count, and its line of the audit trail.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::Method;
use jiff::Timestamp;

use super::audit::{Event, Line};
use super::http::App;
use super::operation_name::operation_name;
use crate::core::{Nearer, Principal, Refusal};
use crate::extension;

/// Who called, in an answer's extensions.
#[derive(Debug, Clone)]
pub(super) struct Caller(pub(super) Principal);

/// The error's code, in an answer's extensions.
#[derive(Debug, Clone)]
pub(super) struct Code(pub(super) String);

/// A request's own id, in an answer's extensions.
#[derive(Debug, Clone)]
pub(super) struct Id(pub(super) String);

/// Of an answer that the trail has already: an attempt to sign in.
#[derive(Debug, Clone)]
pub(super) struct Told;

/// Where clients sign in with a secret or a token of another's, and where a machine's own does.
pub(super) const TOKEN: &str = "/{tenant}/oauth2/v2.0/token";
pub(super) const MANAGED: &str = "/msi/token";

/// The longest path and id of a client's that a line repeats, in characters.
const LONGEST: usize = 2048;

/// What a line says of a request before it is answered.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    method: Method,
    path: String,
    address: IpAddr,
    client_request_id: Option<String>,
}

impl Asked {
    pub(super) fn new(request: &Request, peer: SocketAddr) -> Self {
        let cut = |text: &str| text.chars().take(LONGEST).collect::<String>();
        let id = request.headers().get("x-ms-client-request-id");
        Self {
            method: request.method().clone(),
            path: cut(request.uri().path()),
            address: peer.ip().to_canonical(),
            client_request_id: id.and_then(|id| id.to_str().ok()).map(cut),
        }
    }

    fn line(&self, app: &App, event: Event) -> Line {
        Line {
            time: Timestamp::now(),
            service_time: app.engine.now(),
            event,
            identity: None,
            role: None,
            address: self.address,
            method: self.method.to_string(),
            path: self.path.clone(),
            operation: operation_name(&self.method, &self.path),
            status: None,
            code: None,
            request_id: String::new(),
            client_request_id: self.client_request_id.clone(),
            ends_nearer: None,
        }
    }

    fn is_read(&self) -> bool {
        matches!(self.method, Method::GET | Method::HEAD)
    }

    /// Whether it asks whether the service is there, and what it is.
    fn is_probe(&self) -> bool {
        self.is_read() && ["/healthz", "/metadata/endpoints"].contains(&self.path.as_str())
    }

    /// Whether the trail tells of it whatever comes of it.
    fn is_told(&self, reads: bool) -> bool {
        let is_read = self.is_read();
        // What is read out of a recovery point is a copy of somebody's data.
        let takes_data = extension::is_of(&self.path) && self.path.contains("/recoveryPoints/");
        !is_read || takes_data || reads
    }
}

/// Counts a request and tells the trail of it once it is answered. It is answered to its end even if nobody listens any more:
/// what was done is written.
pub(super) async fn recorded(
    State(app): State<Arc<App>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    let asked = Asked::new(&request, peer);
    if signs_in(&request) {
        // It tells the trail by itself, before an answer that waits, and waits for nobody who has gone.
        let response = next.run(request).await;
        app.counters.answered(response.status().as_u16());
        tell(&app, &asked, &response);
        return response;
    }
    let answering = Arc::clone(&app);
    let answered = tokio::spawn(async move {
        let response = next.run(request).await;
        answering.counters.answered(response.status().as_u16());
        tell(&answering, &asked, &response);
        response
    });
    match answered.await {
        Ok(response) => response,
        Err(error) => app.failed(&error),
    }
}

/// By the route that was found, not by the path: below others there may be anything of that name.
fn signs_in(request: &Request) -> bool {
    let route = request.extensions().get::<MatchedPath>();
    route.is_some_and(|route| [TOKEN, MANAGED].contains(&route.as_str()))
}

fn tell(app: &App, asked: &Asked, response: &Response) {
    let status = response.status().as_u16();
    let about = response.extensions();
    let has_it = about.get::<Told>().is_some() || asked.is_probe();
    if has_it || !(asked.is_told(app.trail.has_reads()) || matches!(status, 401 | 403)) {
        return;
    }
    let mut line = asked.line(app, Event::Request);
    if let Some(Caller(caller)) = about.get::<Caller>() {
        line.by(caller);
    }
    line.status = Some(status);
    line.ends_nearer = about.get::<Nearer>().cloned();
    line.code = about.get::<Code>().map(|Code(code)| code.clone());
    line.request_id = about
        .get::<Id>()
        .map(|Id(id)| id.clone())
        .unwrap_or_default();
    app.tell(&line);
}

impl App {
    /// Tells the trail that somebody tried to sign in, as whom if there is such an identity, and what came of it.
    pub(super) fn signed_in(
        &self,
        asked: &Asked,
        identity: Option<&Principal>,
        status: u16,
        code: Option<String>,
    ) {
        self.counters.signed_in(status == 200);
        let mut line = asked.line(self, Event::SignIn);
        identity.into_iter().for_each(|identity| line.by(identity));
        (line.status, line.code) = (Some(status), code);
        // Its path has the tenant where others have a type.
        "oauth2/token/action".clone_into(&mut line.operation);
        self.tell(&line);
    }

    /// Where the trail is required: tells it that something is about to be done.
    ///
    /// # Errors
    /// 503 when it can't be told: then nothing is done.
    pub(super) fn begins(
        &self,
        asked: &Asked,
        caller: &Principal,
        id: &str,
    ) -> Result<(), Refusal> {
        if !self.trail.is_required() || !asked.is_told(false) {
            return Ok(());
        }
        let mut line = asked.line(self, Event::Begun);
        line.by(caller);
        id.clone_into(&mut line.request_id);
        if self.tell(&line) {
            return Ok(());
        }
        let message = "The audit trail can't be written, and nothing is changed that it would not tell of; nothing was done. The \
                       service's log says what is wrong with its file.";
        Err(Refusal::new(503, "AuditTrailUnavailable", message).retry_after(30))
    }

    fn tell(&self, line: &Line) -> bool {
        let told = self.trail.tell(line);
        if !told {
            self.counters.lost_audit_line();
        }
        told
    }
}
