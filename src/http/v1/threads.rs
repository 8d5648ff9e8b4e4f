//! Queries and warnings that wait for a reply. What was said is in the signed parts, never here.

use axum::Json;
use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::state::AppState;
use crate::service::principal::Principal;
use crate::service::threads;
use crate::wire::api::Threads;
use crate::wire::problem::{Problem, ProblemBody};

/// The operations of this file.
pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(open))
}

/// The queries and warnings on current notifications that nobody has replied to, oldest first: an organisation's those
/// that it is to reply to, a party's those that it waits for, a coordinator's all.
///
/// # Errors
/// A problem.
#[utoipa::path(
    get, path = "/v1/threads", tag = "notifications", security(("device" = [])),
    responses(
        (status = OK, description = "Those that wait, at most 1,000, and how many more", body = Threads),
        (status = "default", description = "A problem (RFC 9457)", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn open(
    State(state): State<AppState>,
    principal: Principal,
) -> Result<Json<Threads>, Problem> {
    threads::open(&state.core, &principal).await.map(Json)
}
