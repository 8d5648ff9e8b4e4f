//! Calls for help: a way in of their own, with an allowance and a place that nothing else uses up, and those that are open.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::statements::{answered, malformed};
use crate::http::extract::{BodyBytes, require_media_type};
use crate::http::state::AppState;
use crate::service::calls;
use crate::service::intake::Bearer;
use crate::service::principal::Principal;
use crate::wire::api::{Calls, Submitted};
use crate::wire::envelope::{ENVELOPE_TYPE, Envelope};
use crate::wire::problem::{Problem, ProblemBody};

/// The operations of this file.
pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(unresolved, call))
}

/// The calls for help that the caller may know of and that are not resolved, oldest first: an organisation its own, a
/// party those that it was called by, the coordinator all.
///
/// # Errors
/// A problem.
#[utoipa::path(
    get, path = "/v1/distress", tag = "distress", security(("device" = [])),
    responses(
        (status = OK, description = "The calls, oldest first", body = Calls),
        (status = "default", description = "A problem (RFC 9457)", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn unresolved(
    State(state): State<AppState>,
    principal: Principal,
) -> Result<Json<Calls>, Problem> {
    calls::unresolved(&state.core, &principal).await.map(Json)
}

/// Submits a `distress`, `respond` or `resolve` statement, as `POST /v1/statements` takes it too. Here it draws on an
/// allowance of its own and is not turned away when the server is busy with other requests.
///
/// # Errors
/// A problem.
#[utoipa::path(
    post, path = "/v1/distress", tag = "distress", security(("device" = [])),
    request_body(content = Vec<u8>, content_type = "application/vnd.hn.envelope", description = "One envelope"),
    responses(
        (status = CREATED, description = "Stored now; the receipt is signed by the server", body = Submitted),
        (status = OK, description = "The same bytes were stored before", body = Submitted),
        (status = "default", description = "A problem (RFC 9457)", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn call(
    State(state): State<AppState>,
    principal: Principal,
    headers: HeaderMap,
    BodyBytes(body): BodyBytes,
) -> Result<Response, Problem> {
    require_media_type(&headers, ENVELOPE_TYPE)?;
    let envelope = Envelope::decode(&body).map_err(|error| malformed(&error))?;
    let taken = Box::pin(state.intake.call(envelope, Bearer::Device(principal))).await?;
    Ok(answered(taken))
}
