//! What handlers take a request apart with: bodies bounded in bytes, total time and least rate; JSON with the place of
//! what is wrong; queries. All refuse with problems, and no refusal repeats what was sent.

use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use super::limits::{BODY_MAX_BYTES, JSON_DEPTH_MAX, RequestLimits};
use super::middleware::Platform;
use crate::crypto::strict_json::{self, Fault, JsonError};
use crate::wire::member;
use crate::wire::problem::{Problem, ProblemKind};

/// The most values and names in a JSON body of [`BODY_MAX_BYTES`]; larger bodies get as many again for each as much.
const JSON_NODES_PER_BODY: usize = 100_000;

/// The most that is read and thrown away of a body that is too large, in bytes.
const DISCARD_MAX_BYTES: usize = 8 << 20;

/// How long nothing may come of a body that is thrown away.
const DISCARD_QUIET: Duration = Duration::from_secs(2);

/// The first allocation for a body whose length is not known, in bytes.
const BODY_FIRST_BYTES: usize = 4_096;

/// A whole body of at most `MAX` bytes.
#[derive(Debug)]
pub struct BodyBytes<const MAX: usize = BODY_MAX_BYTES>(pub Bytes);

impl<S: Send + Sync, const MAX: usize> FromRequest<S> for BodyBytes<MAX> {
    type Rejection = Problem;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Problem> {
        let limits = request
            .extensions()
            .get::<Arc<Platform>>()
            .map(|platform| platform.limits.request.clone());
        let mut declared = content_length(request.headers());
        if request.headers().contains_key(header::EXPECT)
            && declared.is_some_and(|n| n > MAX as u64)
        {
            // The sender waits for our word before it sends anything: nothing is to be thrown away.
            declared = Some(u64::MAX);
        }
        read_body(
            request.into_body(),
            declared,
            MAX,
            &limits.unwrap_or_default(),
        )
        .await
        .map(Self)
    }
}

/// A JSON body of at most `MAX` bytes, as `T`. `T` refuses unknown members by `#[serde(deny_unknown_fields)]`.
#[derive(Debug)]
pub struct JsonBody<T, const MAX: usize = BODY_MAX_BYTES>(pub T);

impl<T, S, const MAX: usize> FromRequest<S> for JsonBody<T, MAX>
where
    T: DeserializeOwned,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        require_media_type(request.headers(), "application/json")?;
        let BodyBytes(bytes) = BodyBytes::<MAX>::from_request(request, state).await?;
        parse_json(&bytes, MAX).map(Self)
    }
}

/// The query string as `T`.
#[derive(Debug)]
pub struct QueryParams<T>(pub T);

impl<T, S> FromRequestParts<S> for QueryParams<T>
where
    T: DeserializeOwned,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        match Query::<T>::try_from_uri(&parts.uri) {
            Ok(Query(params)) => Ok(Self(params)),
            Err(rejection) => {
                let mut problem = Problem::new(ProblemKind::InvalidQuery);
                let mut source = rejection.source();
                while let Some(error) = source {
                    if let Some(error) =
                        error.downcast_ref::<serde_path_to_error::Error<serde::de::value::Error>>()
                    {
                        let words = error.inner().to_string();
                        problem =
                            explain(problem, &words).pointer(member::pointer(error.path(), &words));
                    }
                    source = error.source();
                }
                Err(problem)
            }
        }
    }
}

/// Refuses a request whose media type (parameters apart) is not `expected`.
///
/// # Errors
/// `unsupported-media-type`.
pub fn require_media_type(headers: &HeaderMap, expected: &str) -> Result<(), Problem> {
    let given = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let essence = given.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case(expected) {
        Ok(())
    } else {
        Err(Problem::new(ProblemKind::UnsupportedMediaType)
            .detail(format!("this operation takes {expected}")))
    }
}

/// Parses JSON of at most `max_bytes` into `T`: strict (no duplicate, bounded depth and nodes), with the place of what is
/// wrong.
///
/// # Errors
/// `malformed-body`, `too-deep`, `too-large`, `unknown-member`, `duplicate-member`, `missing-member`, `invalid-member`.
pub fn parse_json<T: DeserializeOwned>(bytes: &[u8], max_bytes: usize) -> Result<T, Problem> {
    let limits = strict_json::Limits {
        max_bytes,
        max_depth: JSON_DEPTH_MAX,
        max_nodes: JSON_NODES_PER_BODY.max(max_bytes / BODY_MAX_BYTES * JSON_NODES_PER_BODY),
    };
    let value = strict_json::parse(bytes, limits).map_err(|error| json_problem(&error))?;
    serde_path_to_error::deserialize(value).map_err(|error| {
        let words = error.inner().to_string();
        explain(Problem::new(ProblemKind::InvalidMember), &words)
            .pointer(member::pointer(error.path(), &words))
    })
}

fn json_problem(error: &JsonError) -> Problem {
    let kind = match error.fault {
        Fault::TooLong(_) | Fault::TooManyNodes(_) => ProblemKind::TooLarge,
        Fault::TooDeep(_) => ProblemKind::TooDeep,
        Fault::Duplicate => ProblemKind::DuplicateMember,
        Fault::NotUtf8 | Fault::Syntax | Fault::Truncated | Fault::Number | Fault::Trailing => {
            ProblemKind::MalformedBody
        }
    };
    let pointer = member::masked(&error.pointer);
    let (line, column) = (u64::try_from(error.line), u64::try_from(error.column));
    let problem = Problem::new(kind)
        .detail(error.fault.to_string())
        .pointer(pointer);
    match (line, column) {
        (Ok(line), Ok(column)) => problem.at(line, column),
        (_, _) => problem,
    }
}

/// Sharpens a problem by serde's words, of which only names that are ours are repeated: serde quotes values.
fn explain(problem: Problem, words: &str) -> Problem {
    // A query keeps its own kind.
    let is_query = problem.kind() == Some(ProblemKind::InvalidQuery);
    let again = |kind| {
        if is_query {
            problem.clone()
        } else {
            Problem::new(kind)
        }
    };
    match member::fault(words) {
        Some((kind, said)) => again(kind).detail(said),
        None => problem,
    }
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers
        .get(header::CONTENT_LENGTH)?
        .to_str()
        .ok()?
        .parse()
        .ok()
}

/// Reads a body within its bounds.
async fn read_body(
    mut body: Body,
    declared: Option<u64>,
    max: usize,
    limits: &RequestLimits,
) -> Result<Bytes, Problem> {
    let too_large = || {
        Problem::new(ProblemKind::TooLarge).detail(format!("at most {max} bytes are taken here"))
    };
    let declared = declared.map(|length| usize::try_from(length).unwrap_or(usize::MAX));
    if let Some(length) = declared.filter(|length| *length > max) {
        if length <= DISCARD_MAX_BYTES {
            discard(body, limits).await;
        }
        return Err(too_large());
    }
    // What a client declares is not allocated before it comes.
    let mut bytes = BytesMut::with_capacity(
        declared
            .unwrap_or(BODY_FIRST_BYTES)
            .min(BODY_FIRST_BYTES * 4),
    );
    let started = Instant::now();
    loop {
        let earned = bytes.len() as u64 * 1_000 / u64::from(limits.body_min_bytes_per_s.max(1));
        let allowed = (limits.body_grace + Duration::from_millis(earned)).min(limits.body);
        let frame = match tokio::time::timeout_at(started + allowed, body.frame()).await {
            Err(_elapsed) => return Err(Problem::new(ProblemKind::RequestTooSlow)),
            Ok(None) => return Ok(bytes.freeze()),
            Ok(Some(Err(_))) => {
                return Err(Problem::new(ProblemKind::MalformedBody)
                    .detail("the body ended before its declared length"));
            }
            Ok(Some(Ok(frame))) => frame,
        };
        if let Ok(data) = frame.into_data() {
            if bytes.len() + data.len() > max {
                drop(bytes);
                discard(body, limits).await;
                return Err(too_large());
            }
            bytes.extend_from_slice(&data);
        }
    }
}

/// Reads on and keeps nothing: whoever writes a whole body before reading would else find the connection closed, and
/// never the answer that says why. Bounded in bytes, in time, and in how long nothing may come.
async fn discard(mut body: Body, limits: &RequestLimits) {
    let mut left = DISCARD_MAX_BYTES;
    let until = Instant::now() + limits.body_grace;
    loop {
        let patience = until.min(Instant::now() + DISCARD_QUIET);
        let Ok(Some(Ok(frame))) = tokio::time::timeout_at(patience, body.frame()).await else {
            return;
        };
        let Some(rest) = left.checked_sub(frame.data_ref().map_or(0, Bytes::len)) else {
            return;
        };
        left = rest;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        #[serde(rename = "name")]
        _name: String,
        #[serde(rename = "items", default)]
        _items: Vec<Item>,
        #[serde(rename = "by_key", default)]
        _by_key: BTreeMap<String, u32>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Item {
        #[serde(rename = "radius_m")]
        _radius_m: u32,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct After {
        #[serde(rename = "after")]
        _after: u64,
    }

    fn refused(json: &str) -> (ProblemKind, Option<String>) {
        let problem =
            parse_json::<Sample>(json.as_bytes(), BODY_MAX_BYTES).expect_err("is refused");
        let text = serde_json::to_string(&problem).expect("serialises");
        for secret in ["Kunduz", "36.7", "secret"] {
            assert!(!text.contains(secret), "{text}");
        }
        (
            problem.kind().expect("one of ours"),
            problem.body().pointer.clone(),
        )
    }

    #[test]
    fn what_is_wrong_is_named_by_its_place_and_never_by_its_value() {
        assert_eq!(refused(r#"{"name":"#).0, ProblemKind::MalformedBody);
        assert_eq!(refused(r#"{"name":"a"} x"#).0, ProblemKind::MalformedBody);
        assert_eq!(
            refused(r#"{"name":"a","secret":1}"#).0,
            ProblemKind::UnknownMember
        );
        assert_eq!(
            refused(r#"{"name":"a","name":"b"}"#).0,
            ProblemKind::DuplicateMember
        );
        assert_eq!(refused("{}").0, ProblemKind::MissingMember);
        let (kind, pointer) =
            refused(r#"{"name":"a","items":[{"radius_m":1},{"radius_m":"Kunduz"}]}"#);
        assert_eq!(
            (kind, pointer.as_deref()),
            (ProblemKind::InvalidMember, Some("/items/1/radius_m"))
        );
        let (kind, pointer) = refused(r#"{"name":"a","by_key":{"36.7 68.8":"x"}}"#);
        assert_eq!(
            (kind, pointer.as_deref()),
            (ProblemKind::InvalidMember, Some("/by_key/*"))
        );
    }

    #[test]
    fn depth_is_bounded_before_anything_is_built_and_brackets_in_strings_do_not_count() {
        let deep = "[".repeat(JSON_DEPTH_MAX + 1);
        assert_eq!(refused(&deep).0, ProblemKind::TooDeep);
        let json = format!(r#"{{"name":"{}\" {{"}}"#, "[".repeat(100));
        assert!(parse_json::<Sample>(json.as_bytes(), BODY_MAX_BYTES).is_ok());
    }

    #[test]
    fn a_query_is_refused_by_name_and_never_by_value() {
        let mut parts = Request::builder()
            .uri("/x?after=secret")
            .body(())
            .expect("a request")
            .into_parts()
            .0;
        let waker = std::task::Waker::noop();
        let mut future = Box::pin(QueryParams::<After>::from_request_parts(&mut parts, &()));
        let polled = future
            .as_mut()
            .poll(&mut std::task::Context::from_waker(waker));
        let std::task::Poll::Ready(Err(problem)) = polled else {
            panic!("is refused at once")
        };
        assert_eq!(problem.kind(), Some(ProblemKind::InvalidQuery));
        assert_eq!(problem.body().pointer.as_deref(), Some("/after"));
        assert!(!problem.to_string().contains("secret"));
    }
}
