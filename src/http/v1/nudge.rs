//! Where a person is nudged. Not a statement: nobody needs to prove it later, and whoever set it may erase it.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::extract::JsonBody;
use crate::http::state::AppState;
use crate::service::nudge::choice;
use crate::service::principal::Principal;
use crate::wire::nudge::{NudgeChoice, NudgeSettings};
use crate::wire::problem::{Problem, ProblemBody};

/// The largest body of a choice, in bytes.
const CHOICE_MAX_BYTES: usize = 4_096;

/// The operations of this file.
pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(get, put, erase))
        .routes(routes!(test))
}

/// How the caller's nudges stand: what was chosen, by which ways this server sends, and what became of the latest ones.
///
/// # Errors
/// A problem.
#[utoipa::path(
    get, path = "/v1/nudge", tag = "nudges", security(("device" = [])),
    responses(
        (status = OK, description = "How they stand", body = NudgeSettings),
        (status = "default", description = "A problem (RFC 9457)", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn get(
    State(state): State<AppState>,
    principal: Principal,
) -> Result<Json<NudgeSettings>, Problem> {
    choice::get(&state.core, &principal, state.nudges)
        .await
        .map(Json)
}

/// Sets where and for what the caller is nudged, and who is nudged while they are away. Replaces what was set before.
///
/// # Errors
/// A problem.
#[utoipa::path(
    put, path = "/v1/nudge", tag = "nudges", security(("device" = [])), request_body = NudgeChoice,
    responses(
        (status = OK, description = "Set; `mail` and `webhook` say whether this server sends that way", body = NudgeSettings),
        (status = "default", description = "A problem (RFC 9457)", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn put(
    State(state): State<AppState>,
    principal: Principal,
    JsonBody(chosen): JsonBody<NudgeChoice, CHOICE_MAX_BYTES>,
) -> Result<Json<NudgeSettings>, Problem> {
    choice::put(&state.core, &principal, state.nudges, chosen)
        .await
        .map(Json)
}

/// Erases it. Nothing more is sent to those addresses.
///
/// # Errors
/// A problem.
#[utoipa::path(
    delete, path = "/v1/nudge", tag = "nudges", security(("device" = [])),
    responses(
        (status = NO_CONTENT, description = "Nothing is set any more"),
        (status = "default", description = "A problem (RFC 9457)", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn erase(
    State(state): State<AppState>,
    principal: Principal,
) -> Result<StatusCode, Problem> {
    choice::erase(&state.core, &principal).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Queues a test message to the caller's own addresses; a few an hour. `recent` in `GET /v1/nudge` says what became of it.
///
/// # Errors
/// A problem.
#[utoipa::path(
    post, path = "/v1/nudge/test", tag = "nudges", security(("device" = [])),
    responses(
        (status = OK, description = "Queued", body = NudgeSettings),
        (status = "default", description = "A problem (RFC 9457)", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn test(
    State(state): State<AppState>,
    principal: Principal,
) -> Result<Json<NudgeSettings>, Problem> {
    choice::test(&state.core, &principal, state.nudges)
        .await
        .map(Json)
}
