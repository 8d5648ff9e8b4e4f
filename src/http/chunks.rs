//! A body that is taken in pieces: as long as it needs, with one piece in memory, and each piece within the time and at
//! the least rate that a whole body has elsewhere.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use tokio::time::{Instant, timeout_at};

use super::extract::require_media_type;
use super::limits::RequestLimits;
use super::middleware::Platform;
use crate::wire::problem::{Problem, ProblemKind};

/// What such a body says that it is.
pub const CHUNKS_TYPE: &str = "application/octet-stream";

/// A body, to be taken in pieces.
pub struct BodyPieces {
    body: Body,
    limits: RequestLimits,
    /// What came beyond the piece that was asked for; at most one frame.
    beyond: Bytes,
}

impl<S: Send + Sync> FromRequest<S> for BodyPieces {
    type Rejection = Problem;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Problem> {
        require_media_type(request.headers(), CHUNKS_TYPE)?;
        let platform = request.extensions().get::<Arc<Platform>>();
        Ok(Self {
            limits: platform
                .map(|platform| platform.limits.request.clone())
                .unwrap_or_default(),
            body: request.into_body(),
            beyond: Bytes::new(),
        })
    }
}

impl BodyPieces {
    /// The next `length` bytes; fewer at the body's end, none behind it.
    ///
    /// # Errors
    /// `request-too-slow`; `malformed-body` when the body breaks off.
    pub async fn next(&mut self, length: usize) -> Result<Bytes, Problem> {
        let mut piece = BytesMut::with_capacity(length);
        let started = Instant::now();
        while piece.len() < length {
            if self.beyond.is_empty() {
                match self.frame(started, piece.len()).await? {
                    Some(data) => self.beyond = data,
                    None => break,
                }
            }
            let taken = self.beyond.len().min(length - piece.len());
            piece.extend_from_slice(&self.beyond.split_to(taken));
        }
        Ok(piece.freeze())
    }

    async fn frame(&mut self, started: Instant, read: usize) -> Result<Option<Bytes>, Problem> {
        let limits = &self.limits;
        let earned = read as u64 * 1_000 / u64::from(limits.body_min_bytes_per_s.max(1));
        let allowed = (limits.body_grace + Duration::from_millis(earned)).min(limits.body);
        loop {
            match timeout_at(started + allowed, self.body.frame()).await {
                Err(_elapsed) => return Err(Problem::new(ProblemKind::RequestTooSlow)),
                Ok(None) => return Ok(None),
                Ok(Some(Err(_))) => {
                    return Err(Problem::new(ProblemKind::MalformedBody)
                        .detail("the body ended before its declared length"));
                }
                Ok(Some(Ok(frame))) => {
                    if let Ok(data) = frame.into_data() {
                        return Ok(Some(data));
                    }
                }
            }
        }
    }
}
