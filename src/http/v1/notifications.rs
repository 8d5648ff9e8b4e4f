//! Where notifications stand, what waits, and counts. Places are in the signed parts, never here.

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::domain::ids::LogPosition;
use crate::http::extract::QueryParams;
use crate::http::state::AppState;
use crate::service::principal::Principal;
use crate::service::status;
use crate::wire::api::{NotificationPage, NotificationStatus, Statistics};
use crate::wire::problem::{Problem, ProblemBody, ProblemKind};

/// The operations of this file.
pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(one))
        .routes(routes!(statistics))
}

/// Where a page begins, and how long it may be.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// Only notifications first stored after this position.
    pub after: Option<u64>,
    /// At most so many, 1 to 200.
    pub limit: Option<u32>,
}

/// The caller's notifications, oldest first: an organisation its own, a party what was notified to it, the coordinator all.
///
/// # Errors
/// A problem.
#[utoipa::path(
    get, path = "/v1/notifications", tag = "notifications", security(("device" = [])), params(PageQuery),
    responses(
        (status = OK, description = "A page", body = NotificationPage),
        (status = "default", description = "A problem (RFC 9457)", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn list(
    State(state): State<AppState>,
    principal: Principal,
    QueryParams(query): QueryParams<PageQuery>,
) -> Result<Json<NotificationPage>, Problem> {
    let after = LogPosition(query.after.unwrap_or(0));
    status::page(
        &state.core,
        &principal,
        after,
        query.limit.unwrap_or(status::PAGE),
    )
    .await
    .map(Json)
}

/// Where one notification stands, by its id or its short reference.
///
/// # Errors
/// A problem.
#[utoipa::path(
    get, path = "/v1/notifications/{id}", tag = "notifications", security(("device" = [])),
    params(("id" = String, Path, description = "The notification's id, or its reference HN-XXXX-XXXX")),
    responses(
        (status = OK, description = "The notification", body = NotificationStatus),
        (status = "default", description = "A problem (RFC 9457)", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn one(
    State(state): State<AppState>,
    principal: Principal,
    path: Result<Path<String>, PathRejection>,
) -> Result<Json<NotificationStatus>, Problem> {
    let Ok(Path(id)) = path else {
        return Err(ProblemKind::UnknownNotification.into());
    };
    status::one(&state.core, &principal, &id.parse()?)
        .await
        .map(Json)
}

/// Counts, for coordinators, auditors and operators. No place, no name, no notification.
///
/// # Errors
/// A problem.
#[utoipa::path(
    get, path = "/v1/statistics", tag = "notifications", security(("device" = [])),
    responses(
        (status = OK, description = "Counts", body = Statistics),
        (status = "default", description = "A problem (RFC 9457)", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn statistics(
    State(state): State<AppState>,
    principal: Principal,
) -> Result<Json<Statistics>, Problem> {
    status::statistics(&state.core, &principal).await.map(Json)
}
