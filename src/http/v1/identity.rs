//! Who is who: enrolling, renewing, one's own devices, everybody's keys, the policy.

use axum::extract::State;
use axum::{Extension, Json};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::crypto::digest::Digest;
use crate::domain::ids::ContextId;
use crate::http::accept::PeerIdentity;
use crate::http::extract::{JsonBody, QueryParams};
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
///
/// # Errors
/// A problem.
pub async fn me(State(state): State<AppState>, principal: Principal) -> Result<Json<Me>, Problem> {
    identity::me(&state.core, &principal).map(Json)
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

/// Which context is meant. No context is taken for meant where none is named.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ContextQuery {
    /// The context's short name, as it stands in every statement of it.
    #[param(value_type = String)]
    pub ctx: ContextId,
}

/// The device behind a certificate that was shown where none is needed.
fn shown(peer: &PeerIdentity) -> Option<Digest> {
    peer.spki_sha256.map(Digest::from_bytes)
}

/// Everybody's keys in a context, in statements that can be held against pinned roots. Open to all; a device reads its own
/// context's alone.
///
/// # Errors
/// A problem.
#[utoipa::path(
    get, path = "/v1/keys", tag = "identity", security(()), params(ContextQuery),
    responses(
        (status = OK, description = "The deployment's keys and those of every actor of the context", body = KeyDirectory),
        (status = "default", description = "A problem (RFC 9457)", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn keys(
    State(state): State<AppState>,
    Extension(peer): Extension<PeerIdentity>,
    QueryParams(query): QueryParams<ContextQuery>,
) -> Result<Json<KeyDirectory>, Problem> {
    let context = identity::named(&state.core, &query.ctx, shown(&peer).as_ref()).await?;
    identity::directory(&state.core, context).await.map(Json)
}

/// The policy in force in a context. Open to all; a device reads its own context's alone.
///
/// # Errors
/// A problem.
#[utoipa::path(
    get, path = "/v1/policy", tag = "identity", security(()), params(ContextQuery),
    responses(
        (status = OK, description = "The policy, and the coordinator's statement of it", body = CurrentPolicy),
        (status = "default", description = "A problem (RFC 9457)", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn policy(
    State(state): State<AppState>,
    Extension(peer): Extension<PeerIdentity>,
    QueryParams(query): QueryParams<ContextQuery>,
) -> Result<Json<CurrentPolicy>, Problem> {
    let context = identity::named(&state.core, &query.ctx, shown(&peer).as_ref()).await?;
    identity::current_policy(&state.core, context)
        .await
        .map(Json)
}
