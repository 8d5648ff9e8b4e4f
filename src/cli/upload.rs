//! Sends the contents of attachments before the statement that names them. What has arrived is never sent again: after a
//! broken line, a restart of either side, or a day without both, it goes on where it stopped.

use std::time::Duration;

use bytes::Bytes;
use reqwest::Method;
use reqwest::header::CONTENT_TYPE;

use super::api::{Api, ApiError, BULK};
use super::error::CliError;
use super::outbox::Outbox;
use crate::crypto::digest::Digest;
use crate::wire::api::BlobState;
use crate::wire::problem::ProblemKind;

/// Bytes in one request: a weak line gets through with some of them within a request's time, and keeps what got through.
const PART: usize = 256 << 10;
/// Requests in a row that may bring nothing further.
const TRIES: u32 = 3;
/// The pause after the first of them; it doubles.
const PAUSE: Duration = Duration::from_millis(400);

/// Sends the contents that wait under these digests. The inner error is the line's or the server's, and ends the sending.
///
/// # Errors
/// When the outbox does not hold one of them.
pub async fn all(
    api: &Api,
    outbox: &Outbox,
    digests: &[Digest],
) -> Result<Result<(), ApiError>, CliError> {
    for digest in digests {
        let blob = Bytes::from(outbox.blob(digest)?);
        if let Err(error) = one(api, digest, &blob).await {
            return Ok(Err(error));
        }
    }
    Ok(Ok(()))
}

async fn one(api: &Api, digest: &Digest, blob: &Bytes) -> Result<(), ApiError> {
    let mut have = api.blob_have(digest).await?;
    let mut transfer = api.transfer("sending an attachment", have, blob.len());
    let (mut idle, mut pause) = (0, PAUSE);
    loop {
        let from = have.min(blob.len());
        let part = blob.slice(from..blob.len().min(from + PART));
        let error = match api.put_blob(digest, blob.len(), from, part).await {
            Ok(state) if state.complete => {
                transfer.at(blob.len());
                return Ok(());
            }
            Ok(state) => {
                let now = usize::try_from(state.have).unwrap_or(usize::MAX);
                if now > have {
                    (have, idle, pause) = (now, 0, PAUSE);
                    transfer.at(have);
                    continue;
                }
                None
            }
            Err(error) if error.is_temporary() || is_elsewhere(&error) => Some(error),
            Err(error) => return Err(error),
        };
        idle += 1;
        if idle >= TRIES {
            return Err(error.unwrap_or_else(|| ApiError::Answer {
                operation: "PUT /v1/blobs".to_owned(),
                why: "the server takes it and keeps nothing of it".to_owned(),
            }));
        }
        tokio::time::sleep(pause).await;
        pause *= 2;
        let now = api.blob_have(digest).await?;
        if now > have {
            (idle, pause) = (0, PAUSE);
        }
        have = now;
    }
}

/// Another amount of it is there than was thought: the answer to an earlier request was lost.
fn is_elsewhere(error: &ApiError) -> bool {
    matches!(error, ApiError::Problem(problem) if problem.type_uri == ProblemKind::AttachmentOffset.type_uri())
}

impl Api {
    /// How much of a content the server has, in bytes.
    ///
    /// # Errors
    /// [`ApiError`].
    async fn blob_have(&self, digest: &Digest) -> Result<usize, ApiError> {
        let response = self
            .request(Method::HEAD, &format!("/v1/blobs/{digest}"))
            .send()
            .await
            .map_err(|e| self.unreachable(&e))?;
        let have = response
            .headers()
            .get("hn-have")
            .and_then(|value| value.to_str().ok()?.parse().ok());
        match (response.status().as_u16(), have) {
            (200, Some(have)) => Ok(have),
            // Whatever stands against it, the first request hears it, with its reason.
            (400..=499, _) => Ok(0),
            (status, _) => Err(ApiError::Unreachable {
                server: self.server().to_owned(),
                why: format!(
                    "it answered {status} to a question how much of an attachment is there"
                ),
            }),
        }
    }

    /// Sends what follows `from`. The same again does no harm.
    async fn put_blob(
        &self,
        digest: &Digest,
        size: usize,
        from: usize,
        part: Bytes,
    ) -> Result<BlobState, ApiError> {
        let path = format!("/v1/blobs/{digest}?offset={from}&size={size}");
        let request = self
            .request(Method::PUT, &path)
            .header(CONTENT_TYPE, "application/octet-stream")
            .timeout(BULK)
            .body(part);
        let (_, answer) = self.once(request).await?;
        serde_json::from_slice(&answer).map_err(|e| ApiError::Answer {
            operation: "PUT /v1/blobs".to_owned(),
            why: e.to_string(),
        })
    }
}
