//! Handover notes: one officer's word to the next of the same actor, sealed to their own desk. The server cannot read it,
//! and nobody else is handed it; all that is held here is that it is one note, for that desk and for no other.

use super::apply::{self, Incoming, Stored};
use super::batch::{Batch, Fault};
use crate::crypto::seal_key::SealPublicKey;
use crate::service::core::internal;
use crate::store::actors;
use crate::wire::parts::name;
use crate::wire::problem::{Problem, ProblemKind};

/// Takes a note.
pub(super) async fn take(batch: &mut Batch<'_>, incoming: &Incoming<'_>) -> Result<Stored, Fault> {
    let prepared = incoming.prepared;
    let actor = actors::get(batch.conn, &prepared.common.ctx, prepared.actor())
        .await?
        .ok_or(ProblemKind::UnknownKey)?;
    let key = actor.desk_key.as_deref().ok_or_else(|| {
        Problem::new(ProblemKind::MissingSeal).detail("the own desk has no key to seal to yet")
    })?;
    let desk = SealPublicKey::from_bytes(key)
        .map_err(|_| internal("a stored desk key is no key"))?
        .kid();
    let mut notes = prepared.records.iter().filter(|r| r.part == name::NOTE);
    match (notes.next(), notes.next()) {
        (None, _) => Err(Problem::new(ProblemKind::MissingPart)
            .detail("a handover needs the part note, sealed to the own desk")
            .into()),
        (Some(note), None) if note.reader == Some(desk) => {
            apply::store(batch, incoming, std::slice::from_ref(prepared.actor())).await
        }
        _ => Err(Problem::new(ProblemKind::UnknownReader)
            .detail("a handover note is sealed to the current key of the own desk, and to no other")
            .into()),
    }
}
