//! Sending one statement: on disk first, then to the server, then its receipt checked against the server's pinned keys.

use serde_json::Value;

use super::api::{Api, ApiError};
use super::error::CliError;
use super::outbox::{Meta, Outbox};
use super::profile::Profile;
use crate::crypto::statement;
use crate::wire::api::Submitted;
use crate::wire::build::Built;
use crate::wire::problem::Problem;
use crate::wire::text;
use crate::wire::trust::Trust;

/// Refuses text that the server and every reader would refuse, before it is kept: what waits must be fit to be sent.
fn fit(built: &Built) -> Result<(), CliError> {
    let unfit = |problem: Problem| {
        let body = problem.body();
        let place = body.pointer.as_deref().unwrap_or_default();
        let what = body.detail.as_deref().unwrap_or_default();
        CliError::refused(format!("{place}: {what}"), body.action.clone())
    };
    let statement = statement::parse(built.envelope.statement.as_bytes());
    let claims = statement.map_or(Value::Null, |own| {
        serde_json::from_slice(own.payload()).unwrap_or_default()
    });
    text::check(&claims, "").map_err(unfit)?;
    for part in &built.disclosures {
        text::check(part.value(), &format!("/{}", part.name())).map_err(unfit)?;
    }
    Ok(())
}

/// Keeps the exact bytes, sends them, checks the receipt, and files both.
///
/// # Errors
/// [`CliError::Kept`]: it waits in the outbox. A refusal is filed too. A receipt that does not stand under the
/// server's keys leaves the statement waiting.
pub async fn submit(
    profile: &Profile,
    api: &Api,
    trust: &Trust,
    built: &Built,
    meta: &Meta,
) -> Result<Submitted, CliError> {
    fit(built)?;
    let outbox = Outbox::open(profile.dir())?;
    let id = outbox.put(&built.envelope, meta)?;
    let bytes = outbox.bytes(&id)?;
    match api.submit_of(meta.kind, &bytes).await {
        Ok(submitted) => {
            trust.check_receipt(&submitted.receipt, built.hash)?;
            outbox.mark_sent(&id, &submitted)?;
            Ok(submitted)
        }
        Err(error) => {
            if let (ApiError::Problem(problem), false) = (&error, error.is_temporary()) {
                outbox.mark_refused(&id, problem)?;
            }
            Err(if error.is_temporary() {
                CliError::Kept(error)
            } else {
                error.into()
            })
        }
    }
}
