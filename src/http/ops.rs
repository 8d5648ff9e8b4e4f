//! For the operator, on a loopback listener of its own: is it alive, is it ready and if not why, and the numbers. No
//! place, name, organisation or reference is in any label; the list of metrics is a table, and a test holds it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusHandle};
use serde::Serialize;
use tokio::sync::watch;

/// The kind of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// A distribution, as a summary of seconds.
    Histogram,
}

/// One metric: name, kind, labels, what it says.
pub type Metric = (
    &'static str,
    MetricKind,
    &'static [&'static str],
    &'static str,
);

/// Every metric of the platform. Other modules describe theirs in the same form by [`describe`].
pub const METRICS: &[Metric] = &[
    (
        "herald_connections",
        MetricKind::Gauge,
        &[],
        "Open connections, sockets included",
    ),
    (
        "herald_connections_refused_total",
        MetricKind::Counter,
        &["reason"],
        "Connections refused: all places taken, the address's places taken, or the address's rate",
    ),
    (
        "herald_connections_failed_total",
        MetricKind::Counter,
        &["reason"],
        "Connections ended by timeout, malformed, closed",
    ),
    (
        "herald_tls_handshakes_failed_total",
        MetricKind::Counter,
        &["reason"],
        "TLS handshakes failed: refused, timeout, certificate",
    ),
    (
        "herald_http_requests_total",
        MetricKind::Counter,
        &["method", "route", "status"],
        "Requests answered, by route template",
    ),
    (
        "herald_http_request_seconds",
        MetricKind::Histogram,
        &["route"],
        "Time from header to answer, by route template",
    ),
    (
        "herald_rate_limited_total",
        MetricKind::Counter,
        &["class"],
        "Requests refused for their rate",
    ),
    (
        "herald_panics_total",
        MetricKind::Counter,
        &[],
        "Requests that ended in a panic; any is a defect",
    ),
    ("herald_sockets", MetricKind::Gauge, &[], "Open WebSockets"),
    (
        "herald_sockets_closed_total",
        MetricKind::Counter,
        &["reason"],
        "WebSockets closed, by reason",
    ),
    (
        "herald_events_prepared_total",
        MetricKind::Counter,
        &[],
        "Events opened and sealed for a desk",
    ),
    (
        "herald_delivery_stopped_total",
        MetricKind::Counter,
        &["class"],
        "Events that could not be prepared, so that delivery to a desk stands still; any needs the operator",
    ),
];

/// Gives the recorder the words of metrics.
pub fn describe(table: &[Metric]) {
    for (name, kind, _labels, help) in table {
        match kind {
            MetricKind::Counter => metrics::describe_counter!(*name, *help),
            MetricKind::Gauge => metrics::describe_gauge!(*name, *help),
            MetricKind::Histogram => metrics::describe_histogram!(*name, *help),
        }
    }
}

/// The process's recorder, installed at the first call. A process has one, however many servers run in it.
///
/// # Errors
/// When another recorder was installed before.
pub fn recorder() -> Result<PrometheusHandle, BuildError> {
    static RECORDER: Mutex<Option<PrometheusHandle>> = Mutex::new(None);
    let mut recorder = RECORDER.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(handle) = recorder.as_ref() {
        return Ok(handle.clone());
    }
    let handle = PrometheusBuilder::new().install_recorder()?;
    describe(METRICS);
    *recorder = Some(handle.clone());
    Ok(handle)
}

/// What the server waits for before it is ready. Cheap to clone; all clones are one.
#[derive(Debug, Clone)]
pub struct Readiness(Arc<watch::Sender<BTreeMap<&'static str, &'static str>>>);

impl Readiness {
    /// Not ready, for each of `parts` is `starting`.
    pub fn new(parts: &[&'static str]) -> Self {
        Self(Arc::new(watch::Sender::new(
            parts.iter().map(|part| (*part, "starting")).collect(),
        )))
    }

    /// A part is ready.
    pub fn ready(&self, part: &'static str) {
        self.0
            .send_if_modified(|waiting| waiting.remove(part).is_some());
    }

    /// A part is not ready, and why. The reason is a word of ours, never an error's text.
    pub fn unready(&self, part: &'static str, reason: &'static str) {
        self.0
            .send_if_modified(|waiting| waiting.insert(part, reason) != Some(reason));
    }

    /// Whether nothing is waited for.
    pub fn is_ready(&self) -> bool {
        self.0.borrow().is_empty()
    }

    /// What is waited for, and why.
    pub fn waiting(&self) -> BTreeMap<&'static str, &'static str> {
        self.0.borrow().clone()
    }

    /// Waits until nothing is waited for.
    pub async fn wait(&self) {
        // The sender is ours and lives as long as we do, so the wait ends only by readiness.
        drop(self.0.subscribe().wait_for(BTreeMap::is_empty).await);
    }
}

#[derive(Serialize)]
struct ReadinessBody {
    ready: bool,
    waiting: BTreeMap<&'static str, &'static str>,
}

struct Ops {
    readiness: Readiness,
    metrics: PrometheusHandle,
}

/// The operator's routes: `/livez`, `/readyz`, `/metrics`. Serve them on loopback only: see [`require_loopback`].
pub fn router(readiness: Readiness, metrics: PrometheusHandle) -> Router {
    Router::new()
        .route("/livez", get(|| async { "alive\n" }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(render_metrics))
        .with_state(Arc::new(Ops { readiness, metrics }))
}

/// The operator's listener speaks plain HTTP, so it may not leave the machine.
///
/// # Errors
/// When `addr` is not a loopback address.
pub fn require_loopback(addr: SocketAddr) -> Result<SocketAddr, NotLoopback> {
    if addr.ip().to_canonical().is_loopback() {
        Ok(addr)
    } else {
        Err(NotLoopback)
    }
}

/// The operator's address would be reachable from outside.
#[derive(Debug, thiserror::Error)]
#[error(
    "the operator's listener is plain HTTP and must be on loopback: give 127.0.0.1:PORT or [::1]:PORT"
)]
pub struct NotLoopback;

async fn readyz(State(ops): State<Arc<Ops>>) -> Response {
    let waiting = ops.readiness.waiting();
    let ready = waiting.is_empty();
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (
        status,
        [(header::CACHE_CONTROL, "no-store")],
        Json(ReadinessBody { ready, waiting }),
    )
        .into_response()
}

async fn render_metrics(State(ops): State<Arc<Ops>>) -> Response {
    ops.metrics.run_upkeep();
    let headers = [
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_TYPE, "text/plain; version=0.0.4"),
    ];
    (headers, ops.metrics.render()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readiness_says_what_it_waits_for() {
        let readiness = Readiness::new(&["database", "keyring"]);
        readiness.ready("database");
        assert!(!readiness.is_ready());
        readiness.ready("keyring");
        assert!(readiness.is_ready());
        readiness.unready("database", "unreachable");
        assert_eq!(
            readiness.waiting(),
            BTreeMap::from([("database", "unreachable")])
        );
    }

    #[test]
    fn the_operators_listener_stays_on_the_machine() {
        assert!(require_loopback(SocketAddr::from(([127, 0, 0, 1], 9))).is_ok());
        assert!(require_loopback(SocketAddr::from(([0, 0, 0, 0], 9))).is_err());
        assert!(require_loopback(SocketAddr::from(([192, 0, 2, 1], 9))).is_err());
    }

    #[test]
    fn no_metric_has_a_label_that_could_name_someone_or_somewhere() {
        for (name, _, labels, _) in METRICS {
            for label in *labels {
                assert!(
                    ["reason", "method", "route", "status", "class"].contains(label),
                    "{name}: {label}"
                );
            }
        }
    }
}
