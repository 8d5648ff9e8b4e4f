//! The way in over HTTP: one statement, or many in one body, each with a result of its own.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::extract::{BodyBytes, require_media_type};
use crate::http::limits::BULK_BODY_MAX_BYTES;
use crate::http::state::AppState;
use crate::service::intake::{Bearer, Taken};
use crate::service::principal::Principal;
use crate::wire::api::{BulkItem, BulkResponse, RefusedTag, Submitted, SubmittedResult};
use crate::wire::envelope::{ENVELOPE_TYPE, ENVELOPES_TYPE, Envelope, EnvelopeError, split};
use crate::wire::problem::{Problem, ProblemBody, ProblemKind};

/// Statements in one body.
pub const BULK_ITEMS: usize = 256;

/// The operations of this file.
pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(submit))
        .routes(routes!(submit_bulk))
}

/// Submits one statement: an envelope with the signed statement and its seals. The same bytes again give the same
/// receipt, whatever their age.
///
/// # Errors
/// A problem.
#[utoipa::path(
    post, path = "/v1/statements", tag = "statements", security(("device" = [])),
    request_body(content = Vec<u8>, content_type = "application/vnd.hn.envelope", description = "One envelope"),
    responses(
        (status = CREATED, description = "Stored now; the receipt is signed by the server", body = Submitted),
        (status = OK, description = "The same bytes were stored before", body = Submitted),
        (status = "default", description = "A problem (RFC 9457)", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn submit(
    State(state): State<AppState>,
    principal: Principal,
    headers: HeaderMap,
    BodyBytes(body): BodyBytes,
) -> Result<Response, Problem> {
    require_media_type(&headers, ENVELOPE_TYPE)?;
    let envelope = Envelope::decode(&body).map_err(|error| malformed(&error))?;
    let taken = Box::pin(state.intake.submit(envelope, Bearer::Device(principal))).await?;
    Ok(answered(taken))
}

/// The answer to one statement that was taken.
pub(super) fn answered(taken: Taken) -> Response {
    let status = if taken.known {
        StatusCode::OK
    } else {
        StatusCode::CREATED
    };
    (status, Json(submitted(taken))).into_response()
}

/// Submits up to 256 statements, each envelope behind its length. One that is refused does not hold back the others.
///
/// # Errors
/// A problem.
#[utoipa::path(
    post, path = "/v1/statements/bulk", tag = "statements", security(("device" = [])),
    request_body(content = Vec<u8>, content_type = "application/vnd.hn.envelopes", description = "Envelopes, each behind its length (u32, big-endian)"),
    responses(
        (status = OK, description = "A result for each, in order", body = BulkResponse),
        (status = "default", description = "A problem (RFC 9457) with the body as a whole", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn submit_bulk(
    State(state): State<AppState>,
    principal: Principal,
    headers: HeaderMap,
    BodyBytes(body): BodyBytes<BULK_BODY_MAX_BYTES>,
) -> Result<Json<BulkResponse>, Problem> {
    require_media_type(&headers, ENVELOPES_TYPE)?;
    let items = split(&body, BULK_ITEMS).map_err(|error| malformed(&error))?;
    let decoded: Vec<Result<Envelope, Problem>> = items
        .into_iter()
        .map(|item| Envelope::decode(item).map_err(|error| malformed(&error)))
        .collect();
    let bearer = Bearer::Device(principal);
    let good: Vec<Envelope> = decoded
        .iter()
        .filter_map(|item| item.as_ref().ok().cloned())
        .collect();
    let mut taken = Box::pin(state.intake.submit_all(good, &bearer))
        .await
        .into_iter();
    let results = decoded.into_iter().map(|item| {
        let result = match item {
            Ok(_) => taken
                .next()
                .unwrap_or_else(|| Err(ProblemKind::Internal.into())),
            Err(problem) => Err(problem),
        };
        match result {
            Ok(taken) => BulkItem::Submitted(Box::new(submitted(taken))),
            Err(problem) => BulkItem::Refused {
                result: RefusedTag::Refused,
                problem: Box::new(problem.body().clone()),
            },
        }
    });
    Ok(Json(BulkResponse {
        items: results.collect(),
    }))
}

fn submitted(taken: Taken) -> Submitted {
    Submitted {
        result: if taken.known {
            SubmittedResult::Known
        } else {
            SubmittedResult::Accepted
        },
        hash: taken.hash,
        pos: taken.pos,
        receipt: taken.receipt,
        remarks: taken.remarks,
    }
}

/// Bytes that are no envelope.
pub(super) fn malformed(error: &EnvelopeError) -> Problem {
    let kind = match error {
        EnvelopeError::TooLarge { .. } => ProblemKind::TooLarge,
        EnvelopeError::Short { .. }
        | EnvelopeError::Trailing(_)
        | EnvelopeError::Magic
        | EnvelopeError::Malformed { .. } => ProblemKind::MalformedBody,
    };
    Problem::new(kind).detail(error.to_string())
}
