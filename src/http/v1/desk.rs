//! The desk's day: what waits, what changed, when a device last looked, who is silent.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use time::OffsetDateTime;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::domain::ids::LogPosition;
use crate::http::extract::{JsonBody, QueryParams};
use crate::http::state::AppState;
use crate::service::desk::{self, Wanted};
use crate::service::principal::Principal;
use crate::store::desk::Between;
use crate::wire::desk::{Changes, Look, Looked, Queue, Silence};
use crate::wire::problem::{Problem, ProblemBody};

/// The operations of this file.
pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(queue))
        .routes(routes!(changes))
        .routes(routes!(look))
        .routes(routes!(silence))
}

/// Which part of the queue is wanted.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct QueueQuery {
    /// Also what was there at the device's last look.
    pub all: Option<bool>,
    /// Only what came behind this position: the `next` of the page before.
    pub after: Option<u64>,
    /// At most so many notifications, 1 to 200.
    pub limit: Option<u32>,
}

/// What waits for the calling desk: what came since the device last looked, or all of it.
///
/// # Errors
/// A problem.
#[utoipa::path(
    get, path = "/v1/queue", tag = "desk", security(("device" = [])), params(QueueQuery),
    responses(
        (status = OK, description = "Unscreened revisions and admissions for a coordinator; unreceived notifications for a party; what was returned to an organisation", body = Queue),
        (status = "default", description = "A problem (RFC 9457)", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn queue(
    State(state): State<AppState>,
    principal: Principal,
    QueryParams(query): QueryParams<QueueQuery>,
) -> Result<Json<Queue>, Problem> {
    let wanted = Wanted {
        all: query.all.unwrap_or(false),
        after: LogPosition(query.after.unwrap_or(0)),
        limit: query.limit.unwrap_or(desk::PAGE),
    };
    desk::queue(&state.core, &principal, wanted).await.map(Json)
}

/// Which changes are wanted.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ChangesQuery {
    /// Only what came behind this position.
    pub after: Option<u64>,
    /// Stored then or later.
    #[serde(default, with = "time::serde::rfc3339::option")]
    #[param(value_type = Option<String>, format = DateTime)]
    pub from: Option<OffsetDateTime>,
    /// Stored before.
    #[serde(default, with = "time::serde::rfc3339::option")]
    #[param(value_type = Option<String>, format = DateTime)]
    pub until: Option<OffsetDateTime>,
    /// At most so many, 1 to 200.
    pub limit: Option<u32>,
}

/// What was said to the calling desk, and by its own devices, oldest first, by what is public of it.
///
/// # Errors
/// A problem.
#[utoipa::path(
    get, path = "/v1/changes", tag = "desk", security(("device" = [])), params(ChangesQuery),
    responses(
        (status = OK, description = "A page", body = Changes),
        (status = "default", description = "A problem (RFC 9457)", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn changes(
    State(state): State<AppState>,
    principal: Principal,
    QueryParams(query): QueryParams<ChangesQuery>,
) -> Result<Json<Changes>, Problem> {
    let between = Between {
        after: LogPosition(query.after.unwrap_or(0)),
        from: query.from,
        until: query.until,
    };
    let limit = query.limit.unwrap_or(desk::PAGE);
    desk::changes(&state.core, &principal, between, limit)
        .await
        .map(Json)
}

/// Says that the calling device has shown everything up to a position; it never goes back.
///
/// # Errors
/// A problem.
#[utoipa::path(
    put, path = "/v1/look", tag = "desk", security(("device" = [])), request_body = Looked,
    responses(
        (status = OK, description = "The device's last look", body = Look),
        (status = "default", description = "A problem (RFC 9457)", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn look(
    State(state): State<AppState>,
    principal: Principal,
    JsonBody(looked): JsonBody<Looked>,
) -> Result<Json<Look>, Problem> {
    desk::looked(&state.core, &principal, looked)
        .await
        .map(Json)
}

/// Which parties have not answered, and for how long. It changes nothing of what is protected.
///
/// # Errors
/// A problem.
#[utoipa::path(
    get, path = "/v1/silence", tag = "desk", security(("device" = [])),
    responses(
        (status = OK, description = "Every party for a coordinator; those that it has named for an organisation; itself for a party", body = Silence),
        (status = "default", description = "A problem (RFC 9457)", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn silence(
    State(state): State<AppState>,
    principal: Principal,
) -> Result<Json<Silence>, Problem> {
    desk::silence(&state.core, &principal).await.map(Json)
}
