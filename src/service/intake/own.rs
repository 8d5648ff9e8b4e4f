//! What the server itself says: signed by the node, its part sealed under the keyring, delivered like all else, in the
//! transaction in which it noticed.

use serde::Serialize;

use super::apply;
use super::batch::{Batch, Fault};
use crate::domain::ids::{ActorId, LogPosition};
use crate::service::core::internal;
use crate::service::records::Record;
use crate::store::statements::{self, NewRecord, NewStatement};
use crate::wire::build::{self, Part, SealSlot};
use crate::wire::claims::Claims;
use crate::wire::parts::name;

/// Says one thing, with the part `detail`, to these desks.
pub(super) async fn say(
    batch: &mut Batch<'_>,
    claims: impl Into<Claims>,
    detail: &impl Serialize,
    desks: &[ActorId],
) -> Result<LogPosition, Fault> {
    if batch.receipt.is_some() {
        // Taken again: what the server said then stands further on.
        return Ok(batch.head);
    }
    let claims: Claims = claims.into();
    let (common, kind) = (claims.common(), claims.kind());
    let slot = SealSlot::of(&claims);
    let part = Part::new(name::DETAIL, detail)
        .map_err(|_| internal("a statement of the server could not be written"))?;
    let signing = &batch.core.deployment.signing;
    let built = build::build(claims, &[part], signing)
        .map_err(|_| internal("a statement of the server could not be made"))?;
    let month = batch.core.month()?;
    let mut records = Vec::with_capacity(built.disclosures.len());
    for disclosure in &built.disclosures {
        let at = Record::part(&common.iss.actor, slot.id(), slot.rev(), disclosure.name());
        records.push(NewRecord {
            part: disclosure.name().to_owned(),
            sd: disclosure.digest(),
            reader: None,
            month,
            org: common.iss.actor.clone(),
            content: batch
                .core
                .seal_record(&at.at(), month, disclosure.encoded().as_bytes())?,
        });
    }
    let kid = signing.kid();
    let (pos, receipt) = apply::next(batch, built.hash)?;
    let new = NewStatement {
        pos,
        hash: built.hash,
        ctx: &common.ctx,
        issuer: &common.iss,
        kid,
        jti: common.jti,
        kind,
        jws: &built.envelope.statement,
        receipt: &receipt,
        submitted_by: &common.iss.actor,
        at: batch.at,
    };
    statements::insert(batch.conn, &new).await?;
    statements::insert_records(batch.conn, pos, &records).await?;
    apply::deliver(batch, desks, pos).await?;
    Ok(pos)
}
