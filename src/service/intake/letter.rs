//! The letter that the coordinator transcribes a party's acknowledgement from: its content is there before the statement is
//! taken, and it is sealed to the coordinator and the organisation, who can both look what stands in it.

use std::collections::{BTreeMap, BTreeSet};

use super::apply::Incoming;
use super::attached;
use super::batch::{Batch, Fault};
use super::relay::has_device;
use crate::crypto::digest::Kid;
use crate::crypto::seal_key::SealPublicKey;
use crate::domain::actor::ActorKind;
use crate::domain::ids::ActorId;
use crate::service::core::internal;
use crate::store::actors::ActorRow;
use crate::wire::claims::AckClaims;
use crate::wire::parts::{NamedBlob, name};
use crate::wire::problem::{Problem, ProblemKind};

/// What is known of a transcribed acknowledgement's letter.
pub(super) struct Letter {
    /// The content, by its number.
    pub blob: i64,
    /// Whether the party could have signed itself.
    pub has_device: bool,
}

/// Finds the letter of a transcribed acknowledgement; none of one that the party signed itself.
///
/// # Errors
/// `letter-missing`, `letter-unexpected`, `missing-seal`, `unknown-reader`, `unknown-party`, `attachment-incomplete`,
/// `attachment-mismatch`.
pub(super) async fn find(
    batch: &mut Batch<'_>,
    incoming: &Incoming<'_>,
    claims: &AckClaims,
    blobs: &[NamedBlob],
) -> Result<Option<Letter>, Fault> {
    let prepared = incoming.prepared;
    let seals = prepared.records.iter().filter_map(|record| {
        let reader = record.reader?;
        Some((record.part.as_str(), reader))
    });
    let seals: Vec<(&str, Kid)> = seals.collect();
    let Some(word) = &claims.on_behalf else {
        if seals.is_empty() && blobs.is_empty() {
            return Ok(None);
        }
        return Err(ProblemKind::LetterUnexpected.into());
    };
    let first = name::attachment(1);
    if blobs.len() != 1 || seals.is_empty() || seals.iter().any(|(part, _)| *part != first) {
        return Err(ProblemKind::LetterMissing.into());
    }
    let has_device = has_device(batch, incoming, &word.org, "/on_behalf/org").await?;
    let actors = batch
        .standing
        .actors(batch.conn, &prepared.common.ctx)
        .await?;
    check_readers(
        &seals.iter().map(|(_, kid)| *kid).collect(),
        &claims.to,
        &actors,
    )?;
    let contents = attached::find(batch, prepared, blobs).await?;
    let blob = contents
        .first()
        .copied()
        .ok_or_else(|| internal("a letter without its content"))?;
    Ok(Some(Letter { blob, has_device }))
}

fn check_readers(
    sealed: &BTreeSet<Kid>,
    org: &ActorId,
    actors: &[ActorRow],
) -> Result<(), Problem> {
    let mut wanted = BTreeMap::new();
    for actor in actors.iter().filter(|actor| {
        actor.kind == ActorKind::Coordinator || (actor.actor == *org && actor.has_admitted_desk())
    }) {
        let Some(key) = &actor.desk_key else { continue };
        let key =
            SealPublicKey::from_bytes(key).map_err(|_| internal("a stored desk key is no key"))?;
        wanted.insert(key.kid(), &actor.actor);
    }
    if let Some((_, whose)) = wanted.iter().find(|(kid, _)| !sealed.contains(*kid)) {
        return Err(Problem::new(ProblemKind::MissingSeal).detail(format!(
            "the letter is not sealed to the current key of {whose}"
        )));
    }
    if sealed.iter().all(|kid| wanted.contains_key(kid)) {
        return Ok(());
    }
    Err(Problem::new(ProblemKind::UnknownReader).detail(
        "the letter is sealed to a key that is neither the coordinator's nor the organisation's",
    ))
}
