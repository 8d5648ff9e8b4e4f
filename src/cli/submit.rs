//! Sending one statement: on disk first, then to the server, then its receipt checked against the server's pinned keys.

use super::api::{Api, ApiError};
use super::error::CliError;
use super::outbox::{Meta, Outbox};
use super::profile::Profile;
use crate::wire::api::Submitted;
use crate::wire::build::Built;
use crate::wire::trust::Trust;

/// Keeps the exact bytes, sends them, checks the receipt, and files both.
///
/// # Errors
/// [`ApiError::Unreachable`]: it waits in the outbox. A refusal is filed too. A receipt that does not stand under the
/// server's keys leaves the statement waiting.
pub async fn submit(
    profile: &Profile,
    api: &Api,
    trust: &Trust,
    built: &Built,
    meta: &Meta,
) -> Result<Submitted, CliError> {
    let outbox = Outbox::open(profile.dir())?;
    let id = outbox.put(&built.envelope, meta)?;
    let bytes = outbox.bytes(&id)?;
    match api.submit(&bytes).await {
        Ok(submitted) => {
            trust.check_receipt(&submitted.receipt, built.hash)?;
            outbox.mark_sent(&id, &submitted)?;
            Ok(submitted)
        }
        Err(error) => {
            if let (ApiError::Problem(problem), false) = (&error, error.is_temporary()) {
                outbox.mark_refused(&id, problem)?;
            }
            Err(error.into())
        }
    }
}
