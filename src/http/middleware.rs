//! What surrounds every request: an id of ours, a span without path, query or peer, the address's allowance, the bound on
//! requests at once, the time limit, the net under a panic, `no-store`, and the numbers. The route appears as its template
//! (`/v1/notifications/{nid}`), never as it was sent.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use tokio::sync::Semaphore;
use tracing::Instrument;
use uuid::Uuid;

use super::accept::PeerIdentity;
use super::limits::{Limits, TARGET_MAX_BYTES};
use super::problem::{method_not_allowed, not_found, render};
use super::rate::RateLimits;
use crate::wire::problem::{Problem, ProblemKind};

/// The header that names the request in an answer. One from outside is ignored.
pub const REQUEST_ID_HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// Where calls for help come in.
pub const CALLS: &str = "/v1/distress";

/// The request's id (UUID v7), in the extensions of every request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestId(pub Uuid);

/// What all routes share: the limits and the allowances.
pub struct Platform {
    /// The bounds.
    pub limits: Limits,
    /// The allowances; `platform.rates.layer(RateClass::Checks)` puts routes under one.
    pub rates: Arc<RateLimits>,
    in_flight: Semaphore,
    calls_in_flight: Semaphore,
}

impl Platform {
    /// A platform with these bounds.
    pub fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self {
            rates: Arc::new(RateLimits::new(&limits.rate)),
            in_flight: Semaphore::new(limits.request.in_flight_max),
            calls_in_flight: Semaphore::new(limits.request.calls_in_flight_max),
            limits,
        })
    }

    /// Puts the platform around finished routes. Call it last: what is added later is outside.
    pub fn wrap(self: &Arc<Self>, routes: Router) -> Router {
        routes
            .fallback(not_found)
            .method_not_allowed_fallback(method_not_allowed)
            .layer(axum::middleware::from_fn_with_state(
                Arc::clone(self),
                surround,
            ))
    }
}

async fn surround(
    State(platform): State<Arc<Platform>>,
    mut request: Request,
    next: Next,
) -> Response {
    let started = Instant::now();
    let id = RequestId(Uuid::now_v7());
    let method = method_label(request.method());
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map(|path| path.as_str().to_owned());
    let route = route.unwrap_or_else(|| "unmatched".to_owned());
    request.extensions_mut().insert(id);
    request.extensions_mut().insert(Arc::clone(&platform));
    let span = tracing::info_span!(
        "request",
        request_id = %id.0,
        method,
        route,
        status = tracing::field::Empty,
        latency_ms = tracing::field::Empty,
    );
    let response = answer(&platform, request, next)
        .instrument(span.clone())
        .await;
    let response = finish(response, id);
    record(&span, method, route, response.status(), started.elapsed());
    response
}

/// Admits the request, runs it under its limits, and turns every way to fail into a problem.
async fn answer(platform: &Platform, request: Request, next: Next) -> Response {
    let Some(peer) = request.extensions().get::<PeerIdentity>() else {
        return ProblemKind::Internal.into_response();
    };
    // A call for help has an allowance and places of its own, so that neither the office behind the same address nor the
    // load of the day keeps it back.
    let is_call = request.uri().path() == CALLS;
    if !is_call && let Err(problem) = platform.rates.check_address(peer.addr.ip()) {
        return problem.into_response();
    }
    if request
        .uri()
        .path_and_query()
        .is_some_and(|target| target.as_str().len() > TARGET_MAX_BYTES)
    {
        return Problem::new(ProblemKind::InvalidQuery)
            .detail(format!(
                "path and query are longer than {TARGET_MAX_BYTES} bytes"
            ))
            .into_response();
    }
    let limits = &platform.limits.request;
    let places = if is_call {
        &platform.calls_in_flight
    } else {
        &platform.in_flight
    };
    let Ok(_place) = places.try_acquire() else {
        return Problem::new(ProblemKind::Overloaded)
            .retry_after_s(limits.overloaded_retry_after_s)
            .into_response();
    };
    let run = AssertUnwindSafe(next.run(request)).catch_unwind();
    match tokio::time::timeout(limits.request, run).await {
        Ok(Ok(response)) => response,
        Ok(Err(_panic)) => {
            metrics::counter!("herald_panics_total").increment(1);
            ProblemKind::Internal.into_response()
        }
        Err(_elapsed) => ProblemKind::Timeout.into_response(),
    }
}

/// Names the request in the answer and forbids to keep it.
fn finish(mut response: Response, id: RequestId) -> Response {
    let id = id.0.to_string();
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        let named = render(&problem.request_id(&id));
        let (parts, body) = named.into_parts();
        // Headers that a handler added (Allow, for one) stay; those that describe the body are replaced.
        response.headers_mut().remove(header::CONTENT_LENGTH);
        response.headers_mut().extend(parts.headers);
        *response.body_mut() = body;
    }
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID_HEADER, value);
    }
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn record(
    span: &tracing::Span,
    method: &'static str,
    route: String,
    status: StatusCode,
    latency: Duration,
) {
    span.record("status", status.as_u16());
    span.record(
        "latency_ms",
        u64::try_from(latency.as_millis()).unwrap_or(u64::MAX),
    );
    span.in_scope(|| {
        if status.is_server_error() {
            tracing::warn!("answered");
        } else if status.is_client_error() {
            tracing::info!("answered");
        } else {
            tracing::debug!("answered");
        }
    });
    let status = status.as_u16().to_string();
    metrics::histogram!("herald_http_request_seconds", "route" => route.clone())
        .record(latency.as_secs_f64());
    metrics::counter!("herald_http_requests_total", "method" => method, "route" => route, "status" => status).increment(1);
}

/// A method as a label of bounded number.
fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}
