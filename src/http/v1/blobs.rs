//! The contents of attachments: sent before the statement that names them, piece by piece, and read by whoever is handed
//! that statement's attachments. Both go on where they stopped.

use axum::Json;
use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::crypto::digest::Digest;
use crate::http::chunks::{BodyPieces, CHUNKS_TYPE};
use crate::http::extract::QueryParams;
use crate::http::state::AppState;
use crate::service::blobs::{Readable, Upload};
use crate::service::principal::Principal;
use crate::wire::api::BlobState;
use crate::wire::problem::{Problem, ProblemBody, ProblemKind};

/// The header with the bytes that are there.
pub const HAVE_HEADER: HeaderName = HeaderName::from_static("hn-have");
/// The header with the bytes of the whole.
pub const SIZE_HEADER: HeaderName = HeaderName::from_static("hn-size");

/// The operations of this file.
pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(send, read))
}

/// Where a body goes on.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SendQuery {
    /// How many bytes are there: what the body begins behind. 0 for the first.
    pub offset: u64,
    /// How long the whole is, in bytes; at most 5,244,167.
    pub size: u64,
}

fn digest(path: Result<Path<String>, PathRejection>) -> Result<Digest, Problem> {
    let Ok(Path(text)) = path else {
        return Err(ProblemKind::NotFound.into());
    };
    text.parse()
        .map_err(|_| Problem::new(ProblemKind::NotFound).detail("the path names no SHA-256 digest"))
}

/// Sends the content of an attachment, or the rest of it. It is kept in pieces of 64 KiB as they come; what came of a
/// piece when the line broke is sent again. With an empty body: how much is there.
///
/// # Errors
/// A problem.
#[utoipa::path(
    put, path = "/v1/blobs/{digest}", tag = "attachments", security(("device" = [])),
    params(("digest" = String, Path, description = "SHA-256 of the whole, base64url"), SendQuery),
    request_body(content = Vec<u8>, content_type = "application/octet-stream", description = "What follows the offset"),
    responses(
        (status = OK, description = "How much is there now", body = BlobState),
        (status = "default", description = "A problem (RFC 9457)", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn send(
    State(state): State<AppState>,
    principal: Principal,
    path: Result<Path<String>, PathRejection>,
    QueryParams(query): QueryParams<SendQuery>,
    mut body: BodyPieces,
) -> Result<Json<BlobState>, Problem> {
    let digest = digest(path)?;
    let mut upload =
        Upload::begin(&state.core, &principal, digest, query.size, query.offset).await?;
    if !upload.state().complete {
        loop {
            let wants = upload.wants();
            // One byte more than is missing is too many.
            let piece = body.next(wants.max(1)).await?;
            if wants == 0 && !piece.is_empty() {
                return Err(Problem::new(ProblemKind::TooLarge)
                    .detail("more came than the size that was announced"));
            }
            if piece.len() < wants || wants == 0 {
                break;
            }
            upload.append(&piece).await?;
        }
    }
    upload.finish().await.map(Json)
}

/// Reads the content of an attachment, or a range of it. With HEAD: how much is there, in `hn-have` and `hn-size`, also
/// while it is not whole.
///
/// # Errors
/// A problem. What this desk is not handed is not found.
#[utoipa::path(
    get, path = "/v1/blobs/{digest}", tag = "attachments", security(("device" = [])),
    params(
        ("digest" = String, Path, description = "SHA-256 of the whole, base64url"),
        ("range" = Option<String>, Header, description = "One range of bytes (RFC 9110): `bytes=131072-`"),
    ),
    responses(
        (status = OK, description = "The whole", body = Vec<u8>, content_type = "application/octet-stream",
            headers(
                ("hn-have" = u64, description = "How many bytes are there"),
                ("hn-size" = u64, description = "How many bytes the whole has"),
            )),
        (status = PARTIAL_CONTENT, description = "The range", body = Vec<u8>, content_type = "application/octet-stream"),
        (status = "default", description = "A problem (RFC 9457)", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn read(
    State(state): State<AppState>,
    principal: Principal,
    path: Result<Path<String>, PathRejection>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let blob = Readable::find(&state.core, &principal, digest(path)?).await?;
    let BlobState {
        size,
        have,
        complete,
    } = blob.state();
    let about = [
        (HAVE_HEADER, HeaderValue::from(have)),
        (SIZE_HEADER, HeaderValue::from(size)),
        (header::ACCEPT_RANGES, HeaderValue::from_static("bytes")),
    ];
    if method == Method::HEAD && !complete {
        return Ok(about.into_response());
    }
    if !complete {
        return Err(Problem::new(ProblemKind::AttachmentIncomplete)
            .detail(format!("{have} of {size} bytes are here")));
    }
    let range = range(&headers, size)?;
    let (begins, ends) = range.unwrap_or((0, size));
    let body = stream::try_unfold(begins, move |at| {
        let blob = blob.clone();
        async move {
            if at >= ends {
                return Ok::<_, Problem>(None);
            }
            let bytes = blob.read(at, ends).await?;
            let next = at + bytes.len() as u64;
            Ok(Some((bytes, next)))
        }
    });
    let mut response = (about, Body::from_stream(body)).into_response();
    let fields = response.headers_mut();
    fields.insert(header::CONTENT_TYPE, HeaderValue::from_static(CHUNKS_TYPE));
    fields.insert(header::CONTENT_LENGTH, HeaderValue::from(ends - begins));
    if range.is_some() {
        let text = format!("bytes {begins}-{}/{size}", ends - 1);
        if let Ok(text) = HeaderValue::from_str(&text) {
            fields.insert(header::CONTENT_RANGE, text);
        }
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    Ok(response)
}

/// The one range that is asked for: from, and the byte behind it. Several ranges and other units are ignored, as RFC 9110
/// allows.
fn range(headers: &HeaderMap, size: u64) -> Result<Option<(u64, u64)>, Problem> {
    let asked = headers
        .get(header::RANGE)
        .and_then(|value| value.to_str().ok()?.strip_prefix("bytes=")?.split_once('-'));
    let Some((first, last)) = asked else {
        return Ok(None);
    };
    let number = |text: &str| text.parse::<u64>().ok();
    let (begins, ends) = match (number(first), number(last)) {
        (Some(first), None) if last.is_empty() => (first, size),
        (Some(first), Some(last)) if first <= last => (first, last.saturating_add(1).min(size)),
        (None, Some(length)) if first.is_empty() && length > 0 => {
            (size.saturating_sub(length), size)
        }
        _ => return Ok(None),
    };
    if begins < ends {
        Ok(Some((begins, ends)))
    } else {
        Err(Problem::new(ProblemKind::RangeNotSatisfiable).detail(format!("it has {size} bytes")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(text: &str) -> Result<Option<(u64, u64)>, Option<ProblemKind>> {
        let mut headers = HeaderMap::new();
        headers.insert(header::RANGE, text.parse().expect("a value"));
        range(&headers, 100).map_err(|problem| problem.kind())
    }

    #[test]
    fn one_range_is_read_and_what_is_none_is_ignored() {
        assert_eq!(asked("bytes=0-9"), Ok(Some((0, 10))));
        assert_eq!(asked("bytes=90-"), Ok(Some((90, 100))));
        assert_eq!(asked("bytes=90-1000"), Ok(Some((90, 100))));
        assert_eq!(asked("bytes=-30"), Ok(Some((70, 100))));
        assert_eq!(asked("bytes=-300"), Ok(Some((0, 100))));
        for ignored in [
            "bytes=9-3",
            "bytes=0-1,4-5",
            "lines=0-1",
            "bytes=x-",
            "bytes=-",
        ] {
            assert_eq!(asked(ignored), Ok(None), "{ignored}");
        }
        for behind in ["bytes=100-", "bytes=100-200"] {
            assert_eq!(asked(behind), Err(Some(ProblemKind::RangeNotSatisfiable)));
        }
    }
}
