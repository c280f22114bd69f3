//! `/metrics` and `/healthz`, over plain HTTP: what the shell counts, and what the state tells when it is asked.
//!
//! Labels come from small sets of words. No name of an object, no address and no text of an error becomes one.

use std::fmt;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet, prometheus_text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use time::OffsetDateTime;
use tokio::sync::Semaphore;

use super::engine::Engine;
use super::http::App;
use super::renewal::Renewal;
use crate::core::{self, Gauge};

/// How many scrapes are answered at once; each asks the state, which answers everybody else meanwhile not at all.
const MOST_SCRAPES: usize = 2;

/// A counter by one label.
type ByWord = Family<[(&'static str, &'static str); 1], Counter>;

/// What the shell counts since the service began.
#[derive(Debug, Default, Clone)]
pub(super) struct Counters {
    requests: ByWord,
    sign_ins: ByWord,
    crowded_connections: ByWord,
    lost_audit_lines: Counter,
}

impl Counters {
    /// A request was answered with this status.
    pub(super) fn answered(&self, status: u16) {
        let class = match status {
            0..400 => "ok",
            429 => "throttled",
            400..500 => "refused",
            _ => "failed",
        };
        self.requests.get_or_create(&[("result", class)]).inc();
    }

    /// Somebody tried to sign in.
    pub(super) fn signed_in(&self, granted: bool) {
        let result = if granted { "granted" } else { "refused" };
        self.sign_ins.get_or_create(&[("result", result)]).inc();
    }

    /// A silent connection was closed to make room for another.
    pub(super) fn closed_for_others(&self) {
        self.crowded_connections
            .get_or_create(&[("result", "closed")])
            .inc();
    }

    /// A new connection was refused: all others were at work.
    pub(super) fn refused_connection(&self) {
        self.crowded_connections
            .get_or_create(&[("result", "refused")])
            .inc();
    }

    /// A line of the audit trail could not be written.
    pub(super) fn lost_audit_line(&self) {
        self.lost_audit_lines.inc();
    }

    fn register(&self, registry: &mut Registry) {
        let mut by = |name: &str, help: &str, family: &ByWord, words: &[&'static str]| {
            for word in words {
                // There from the start, with a 0: what is absent can't be alerted on.
                drop(family.get_or_create(&[("result", *word)]));
            }
            registry.register(name, help, family.clone());
        };
        by(
            "requests",
            "Requests that were answered, by what came of them",
            &self.requests,
            &["ok", "refused", "throttled", "failed"],
        );
        by(
            "sign_ins",
            "Attempts to sign in, by what came of them",
            &self.sign_ins,
            &["granted", "refused"],
        );
        by(
            "crowded_connections",
            "Connections that were silent and closed for others, or refused because all others were at work",
            &self.crowded_connections,
            &["closed", "refused"],
        );
        registry.register(
            "lost_audit_lines",
            "Lines of the audit trail that its file does not have, because it could not be written",
            self.lost_audit_lines.clone(),
        );
    }
}

/// Everything that a scrape is answered from.
pub(super) struct Metrics {
    registry: Registry,
    scrapes: Semaphore,
}

impl Metrics {
    pub(super) fn new(app: &Arc<App>, renewal: Arc<Renewal>) -> Arc<Self> {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(Process));
        let ours = registry.sub_registry_with_prefix("kluis_service");
        app.counters.register(ours);
        ours.register_collector(Box::new(FromState(Arc::clone(&app.engine))));
        ours.register_collector(Box::new(FromShell(Arc::clone(app), renewal)));
        let scrapes = Semaphore::new(MOST_SCRAPES);
        Arc::new(Self { registry, scrapes })
    }

    fn render(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        prometheus_text::encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

/// The two pages.
pub(super) fn pages(metrics: Arc<Metrics>) -> Router {
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/metrics", get(scrape))
        .fallback(async || (StatusCode::NOT_FOUND, "there are /healthz and /metrics\n"))
        .with_state(metrics)
}

async fn scrape(State(metrics): State<Arc<Metrics>>) -> Response {
    let Ok(_place) = metrics.scrapes.try_acquire() else {
        return (StatusCode::SERVICE_UNAVAILABLE, "others ask already\n").into_response();
    };
    let asked = Arc::clone(&metrics);
    match tokio::task::spawn_blocking(move || asked.render()).await {
        Ok(Ok(text)) => {
            let form = "text/plain; version=0.0.4; charset=utf-8";
            ([(header::CONTENT_TYPE, form)], text).into_response()
        }
        failed => {
            tracing::error!(?failed, "the metrics could not be told");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// What the state tells, and whether it can be read at all.
struct FromState(Arc<Engine>);

impl fmt::Debug for FromState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FromState")
    }
}

impl Collector for FromState {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let told = self.0.read(core::gauges);
        if let Err(error) = &told {
            tracing::error!(error = %crate::store::chain(error), "the state could not be read for the metrics");
        }
        let readable = Gauge::one(
            "state_readable",
            "Whether the state could be read for this scrape; gauges from it are absent otherwise",
            f64::from(u8::from(told.is_ok())),
        );
        std::iter::once(readable)
            .chain(told.unwrap_or_default())
            .try_for_each(|gauge| encode(&mut encoder, &gauge))
    }
}

/// What the shell knows besides what it counts.
struct FromShell(Arc<App>, Arc<Renewal>);

impl fmt::Debug for FromShell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FromShell")
    }
}

impl Collector for FromShell {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Self(app, renewal) = self;
        let ends = renewal.ends();
        let at = |end: OffsetDateTime| end.unix_timestamp() as f64;
        let certificates = Gauge::by(
            "certificate_expiry_timestamp_seconds",
            "When certificates end, in seconds since 1970: the served one, which is renewed by itself, and the authority in \
             ca.pem, of which clients have copies",
            "certificate",
            [
                ("served", at(ends.served)),
                ("authority", at(ends.authority)),
            ],
        );
        encode(&mut encoder, &certificates)?;
        let Some(is_writable) = app.trail.is_writable() else {
            return Ok(());
        };
        let writable = Gauge::one(
            "audit_writable",
            "Whether the last line of the audit trail could be written to its file; absent where it has none",
            f64::from(u8::from(is_writable)),
        );
        encode(&mut encoder, &writable)
    }
}

/// What the system knows of this process, by the names that every exporter has for it.
#[derive(Debug)]
struct Process;

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let open = std::fs::read_dir("/proc/self/fd").map(Iterator::count);
        let most = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
        let gauges = [
            (
                "process_open_fds",
                "Open file descriptors",
                open.ok().map(|n| n as f64),
            ),
            (
                "process_max_fds",
                "How many file descriptors may be open",
                most.map(|n| n as f64),
            ),
        ];
        for (name, help, value) in gauges {
            if let Some(value) = value {
                encode(&mut encoder, &Gauge::one(name, help, value))?;
            }
        }
        Ok(())
    }
}

fn encode(encoder: &mut DescriptorEncoder<'_>, gauge: &Gauge) -> fmt::Result {
    let kind = match gauge.is_total {
        true => MetricType::Counter,
        false => MetricType::Gauge,
    };
    let mut metric = encoder.encode_descriptor(gauge.name, gauge.help, None, kind)?;
    for (labels, value) in &gauge.values {
        match (labels.is_empty(), gauge.is_total) {
            (true, false) => metric.encode_gauge(value)?,
            (false, false) => metric.encode_family(labels)?.encode_gauge(value)?,
            (true, true) => metric.encode_counter::<NoLabelSet, _, u64>(value, None)?,
            (false, true) => metric
                .encode_family(labels)?
                .encode_counter::<NoLabelSet, _, u64>(value, None)?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_is_described() {
        let described = include_str!("../../../../docs/metrics.md");
        let mut registry = Registry::default();
        registry.register_collector(Box::new(Process));
        Counters::default().register(registry.sub_registry_with_prefix("kluis_service"));
        let mut text = String::new();
        prometheus_text::encode(&mut text, &registry).unwrap();
        let names: Vec<&str> = text
            .lines()
            .filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next())
            .collect();
        assert!(
            names.contains(&"kluis_service_requests_total") && names.contains(&"process_open_fds")
        );
        for name in names {
            assert!(described.contains(&format!("| `{name}` |")), "{name}");
        }
    }
}
