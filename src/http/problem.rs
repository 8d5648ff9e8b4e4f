//! Turns a [`Problem`] into an HTTP response. The one place where a refusal gets its status, media type and headers.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::wire::problem::{PROBLEM_MEDIA_TYPE, Problem, ProblemKind};

/// What stands in a response when a problem cannot be written; cannot happen with the shape that we have.
const FALLBACK_BODY: &str = r#"{"type":"urn:hn:problem:internal","title":"The server failed","status":500,"action":"Send the exact bytes again; treat an unanswered check as a conflict."}"#;

impl IntoResponse for Problem {
    /// The problem stays in the response's extensions, so that the outer middleware can add the request's id.
    fn into_response(self) -> Response {
        let mut response = render(&self);
        response.extensions_mut().insert(self);
        response
    }
}

impl IntoResponse for ProblemKind {
    fn into_response(self) -> Response {
        Problem::new(self).into_response()
    }
}

/// Writes status, headers and body.
pub(super) fn render(problem: &Problem) -> Response {
    let body = problem.body();
    let bytes = serde_json::to_vec(body).unwrap_or_else(|_| FALLBACK_BODY.into());
    let mut response = Response::new(Body::from(bytes));
    *response.status_mut() =
        StatusCode::from_u16(body.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static(PROBLEM_MEDIA_TYPE),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(seconds) = body.retry_after_s {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// The fallback of the router: nothing is here.
pub async fn not_found() -> Problem {
    Problem::new(ProblemKind::NotFound)
}

/// The fallback of a path that has other methods.
pub async fn method_not_allowed() -> Problem {
    Problem::new(ProblemKind::MethodNotAllowed)
}
