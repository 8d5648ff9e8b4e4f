//! The time is over for which a month's sealed parts are kept: judged in one transaction under the head's lock, and said in
//! signed statements of the server, to each organisation that had something there and to the coordinator. The database is
//! emptied after that, and the key goes last; see [`crate::service::retention`].

use super::batch::{Batch, Fault};
use super::{Wake, own};
use crate::crypto::month::Month;
use crate::domain::exchange::{AlertEvent, RETENTION_SENTENCE};
use crate::domain::ids::{ActorId, ContextId};
use crate::service::core::{Core, store as failed};
use crate::store::{actors, months};
use crate::wire::claims::AlertClaims;
use crate::wire::parts::AlertDetail;
use crate::wire::problem::Problem;

/// What became of a month whose time seemed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::service) enum Judged {
    /// It is said that it is destroyed.
    Destroyed,
    /// Something holds it.
    Held,
    /// By the policy of now its time is not over, or it was destroyed already.
    Kept,
}

/// Judges a month of a context. `concerned` are the organisations that had something sealed there.
///
/// # Errors
/// The database's, or the keyring's; nothing has happened then.
pub(in crate::service) async fn retain(
    core: &Core,
    wake: &Wake,
    (ctx, month): (&ContextId, Month),
    concerned: &[ActorId],
) -> Result<Judged, Problem> {
    match in_transaction(core, wake, (ctx, month), concerned).await {
        Ok(judged) => Ok(judged),
        Err(Fault::Refused(problem)) => Err(problem),
        Err(Fault::Store(error)) => Err(failed(&error)),
    }
}

async fn in_transaction(
    core: &Core,
    wake: &Wake,
    (ctx, month): (&ContextId, Month),
    concerned: &[ActorId],
) -> Result<Judged, Fault> {
    let begun = core.pools.intake.begin().await;
    let mut tx = begun.map_err(|e| Fault::Store(e.into()))?;
    let mut batch = Batch::begin(core, core.context(ctx)?, &mut tx).await?;
    let policy = batch.standing.policy(batch.conn, ctx).await?;
    let due = month.kept_until(policy.retention_months);
    let Some(due) = due.filter(|due| *due <= batch.at) else {
        return Ok(Judged::Kept);
    };
    // What is said of it must not be sealed under it.
    let turned = core.month()? > month;
    if !turned || !months::is_kept(batch.conn, ctx, month).await? {
        return Ok(Judged::Kept);
    }
    if !months::holds(batch.conn, ctx, month, 1).await?.is_empty() {
        return Ok(Judged::Held);
    }
    let coordinators = actors::coordinators(batch.conn, ctx).await?;
    // Where no organisation had anything, the coordinator alone hears of it.
    let of = if concerned.is_empty() {
        coordinators.get(..1).unwrap_or_default()
    } else {
        concerned
    };
    for organisation in of {
        let detail = AlertDetail {
            event: AlertEvent::RetentionEnded,
            organisation: organisation.clone(),
            party: None,
            items: Vec::new(),
            lead_percent: None,
            due,
            step: None,
            transcribed: None,
            month: Some(month.to_string()),
            says: RETENTION_SENTENCE.to_owned(),
        };
        let mut desks = coordinators.clone();
        desks.push(organisation.clone());
        desks.sort_unstable();
        desks.dedup();
        let claims = AlertClaims::new(batch.common());
        own::say(&mut batch, claims, &detail, &desks).await?;
    }
    let said = (batch.head, batch.at);
    months::set_destroyed(batch.conn, ctx, month, said).await?;
    let committed = batch.finish().await?;
    tx.commit().await.map_err(|e| Fault::Store(e.into()))?;
    wake(&committed);
    Ok(Judged::Destroyed)
}
