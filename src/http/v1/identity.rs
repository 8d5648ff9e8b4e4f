//! Who is who: enrolling, renewing, one's own devices, everybody's keys, the policy.

use axum::Json;
use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::extract::JsonBody;
use crate::http::state::AppState;
use crate::service::principal::Principal;
use crate::service::{enrol as enrolment, identity};
use crate::wire::api::{
    CurrentPolicy, Devices, EnrolRequest, EnrolResponse, KeyDirectory, Me, RenewRequest,
};
use crate::wire::problem::{Problem, ProblemBody};

/// The operations of this file.
pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(enrol))
        .routes(routes!(renew))
        .routes(routes!(me))
        .routes(routes!(devices))
        .routes(routes!(keys))
        .routes(routes!(policy))
}

/// Enrols a device with an invite. The server takes keys from the request and writes the certificate itself.
///
/// # Errors
/// A problem.
#[utoipa::path(
    post, path = "/v1/enrol", tag = "identity", request_body = EnrolRequest, security(()),
    responses(
        (status = OK, description = "Enrolled; `pending` until its root names it", body = EnrolResponse),
        (status = "default", description = "A problem (RFC 9457)", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn enrol(
    State(state): State<AppState>,
    JsonBody(request): JsonBody<EnrolRequest>,
) -> Result<Json<EnrolResponse>, Problem> {
    Box::pin(enrolment::enrol(&state.core, &state.intake, request))
        .await
        .map(Json)
}

/// Renews the calling device's keys with a `renew` statement signed by the old key.
///
/// # Errors
/// A problem.
#[utoipa::path(
    post, path = "/v1/renew", tag = "identity", request_body = RenewRequest, security(("device" = [])),
    responses(
        (status = OK, description = "Renewed", body = EnrolResponse),
        (status = "default", description = "A problem (RFC 9457)", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn renew(
    State(state): State<AppState>,
    principal: Principal,
    JsonBody(request): JsonBody<RenewRequest>,
) -> Result<Json<EnrolResponse>, Problem> {
    Box::pin(enrolment::renew(
        &state.core,
        &state.intake,
        &principal,
        request,
    ))
    .await
    .map(Json)
}

/// Who the calling device is.
#[utoipa::path(
    get, path = "/v1/me", tag = "identity", security(("device" = [])),
    responses(
        (status = OK, description = "The device and its actor", body = Me),
        (status = "default", description = "A problem (RFC 9457)", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn me(State(state): State<AppState>, principal: Principal) -> Json<Me> {
    Json(identity::me(&state.core, &principal))
}

/// The devices of the caller's own actor.
///
/// # Errors
/// A problem.
#[utoipa::path(
    get, path = "/v1/devices", tag = "identity", security(("device" = [])),
    responses(
        (status = OK, description = "All of them, also pending and revoked ones", body = Devices),
        (status = "default", description = "A problem (RFC 9457)", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn devices(
    State(state): State<AppState>,
    principal: Principal,
) -> Result<Json<Devices>, Problem> {
    identity::own_devices(&state.core, &principal)
        .await
        .map(Json)
}

/// Everybody's keys, in statements that can be held against pinned roots. Open to all.
///
/// # Errors
/// A problem.
#[utoipa::path(
    get, path = "/v1/keys", tag = "identity", security(()),
    responses(
        (status = OK, description = "The deployment's keys and those of every actor of the context", body = KeyDirectory),
        (status = "default", description = "A problem (RFC 9457)", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn keys(State(state): State<AppState>) -> Result<Json<KeyDirectory>, Problem> {
    identity::directory(&state.core).await.map(Json)
}

/// The policy in force. Open to all.
///
/// # Errors
/// A problem.
#[utoipa::path(
    get, path = "/v1/policy", tag = "identity", security(()),
    responses(
        (status = OK, description = "The policy, and the coordinator's statement of it", body = CurrentPolicy),
        (status = "default", description = "A problem (RFC 9457)", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn policy(State(state): State<AppState>) -> Result<Json<CurrentPolicy>, Problem> {
    identity::current_policy(&state.core).await.map(Json)
}
