//! Checks over HTTP: a signed question in, a signed answer out.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::statements::malformed;
use crate::http::extract::{BodyBytes, require_media_type};
use crate::http::state::AppState;
use crate::service::principal::Principal;
use crate::wire::envelope::{ENVELOPE_TYPE, Envelope};
use crate::wire::problem::{Problem, ProblemBody};

/// The operations of this file.
pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(check))
}

/// Asks whether an area holds anything notified to the asking party: an envelope with the signed `check` statement and its
/// part `area` in the clear. The answer is an envelope with the server's signed `answer` statement and its part `answer` in
/// the clear (`answer.2`, `answer.3`… where one part does not hold all hits). The status is 200 for every verdict,
/// `indeterminate` included. Question and answer are kept, sealed, before the answer leaves; the same bytes again give the
/// same answer. Absence of a notification is not absence of civilians; whoever gets no answer treats that as a conflict.
///
/// # Errors
/// A problem.
#[utoipa::path(
    post, path = "/v1/checks", tag = "checks", security(("device" = [])),
    request_body(content = Vec<u8>, content_type = "application/vnd.hn.envelope", description = "One envelope: the `check` statement and the disclosure `area`"),
    responses(
        (status = OK, description = "The signed answer, whatever the verdict", body = Vec<u8>, content_type = "application/vnd.hn.envelope"),
        (status = "default", description = "A problem (RFC 9457): there is no answer; treat it as a conflict", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn check(
    State(state): State<AppState>,
    principal: Principal,
    headers: HeaderMap,
    BodyBytes(body): BodyBytes,
) -> Result<Response, Problem> {
    require_media_type(&headers, ENVELOPE_TYPE)?;
    let envelope = Envelope::decode(&body).map_err(|error| malformed(&error))?;
    let answer = Box::pin(state.checks.answer(&principal, envelope)).await?;
    let headers = [(
        header::CONTENT_TYPE,
        HeaderValue::from_static(ENVELOPE_TYPE),
    )];
    Ok((headers, answer.encode()).into_response())
}
