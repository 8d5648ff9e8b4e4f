//! Attachments of a revision: each sealed to exactly those who are handed it, and its content there, whole, from the same
//! organisation, before the statement is taken.

use std::collections::{BTreeMap, BTreeSet};

use super::batch::{Batch, Fault};
use super::place::PlaceFacts;
use super::prepare::Prepared;
use crate::crypto::digest::{Digest, Kid};
use crate::crypto::seal_key::SealPublicKey;
use crate::domain::actor::ActorKind;
use crate::domain::ids::ActorId;
use crate::domain::notification::Tier;
use crate::service::core::{destroyed, internal};
use crate::store::actors::ActorRow;
use crate::store::blobs as store;
use crate::store::notifications::NewRevision;
use crate::wire::parts::{MAX_ATTACHMENTS, NamedBlob, name};
use crate::wire::problem::{Problem, ProblemKind};

/// What can be judged without the contents: how many, what they are called, and whom they are sealed to.
pub(super) fn check(
    prepared: &Prepared,
    facts: &PlaceFacts,
    actors: &[ActorRow],
) -> Result<(), Problem> {
    let mut sealed: BTreeMap<&str, BTreeSet<Kid>> = BTreeMap::new();
    for record in &prepared.records {
        if let Some(reader) = record.reader
            && record.part.starts_with(name::ATTACHMENT_PREFIX)
        {
            sealed.entry(&record.part).or_default().insert(reader);
        }
    }
    if sealed.is_empty() && facts.blobs.is_empty() {
        return Ok(());
    }
    check_names(&sealed, facts)?;
    let wanted = readers(prepared.speaks_for(), facts, actors)?;
    for (part, readers) in sealed {
        if let Some((_, whose)) = wanted.iter().find(|(kid, _)| !readers.contains(kid)) {
            return Err(Problem::new(ProblemKind::MissingSeal).detail(format!(
                "the part {part} is not sealed to the current key of {whose}"
            )));
        }
        if readers.iter().any(|kid| !wanted.contains_key(kid)) {
            return Err(Problem::new(ProblemKind::UnknownReader).detail(format!(
                "the part {part} is sealed to a key that is neither the coordinator's, the own desk's, nor that of a party that sees the exact place"
            )));
        }
    }
    Ok(())
}

fn check_names(sealed: &BTreeMap<&str, BTreeSet<Kid>>, facts: &PlaceFacts) -> Result<(), Problem> {
    let named = facts.blobs.len();
    if named > MAX_ATTACHMENTS || sealed.len() > MAX_ATTACHMENTS {
        return Err(Problem::new(ProblemKind::TooManyAttachments)
            .detail(format!("at most {MAX_ATTACHMENTS} are taken")));
    }
    if named == 0 {
        return Err(Problem::new(ProblemKind::MissingPart).detail(
            "the part blobs is required where there are attachments, sealed to the server's key",
        ));
    }
    let each: BTreeSet<Digest> = facts.blobs.iter().map(|named| named.blob).collect();
    let numbered =
        sealed.len() == named && (1..=named).all(|n| sealed.contains_key(&*name::attachment(n)));
    if numbered && each.len() == named {
        return Ok(());
    }
    Err(Problem::new(ProblemKind::AttachmentMismatch)
        .detail("the part blobs names one content for each of attachment.1, attachment.2 and so on, each once")
        .pointer("/blobs"))
}

/// The keys that each attachment is sealed to, and whose they are.
fn readers<'a>(
    own: &ActorId,
    facts: &PlaceFacts,
    actors: &'a [ActorRow],
) -> Result<BTreeMap<Kid, &'a ActorId>, Problem> {
    let exact = |actor: &ActorRow| {
        let mut audiences = facts.audiences.iter();
        audiences.any(|a| a.party == actor.actor && a.tier == Tier::Exact)
    };
    let entitled = actors.iter().filter(|actor| {
        actor.kind == ActorKind::Coordinator || actor.actor == *own || exact(actor)
    });
    let mut keys = BTreeMap::new();
    for actor in entitled {
        // Nothing is sealed to a desk whose root nobody has compared.
        let sealed_to = actor.kind == ActorKind::Coordinator || actor.has_admitted_desk();
        let Some(key) = actor.desk_key.as_ref().filter(|_| sealed_to) else {
            continue;
        };
        let key =
            SealPublicKey::from_bytes(key).map_err(|_| internal("a stored desk key is no key"))?;
        keys.insert(key.kid(), &actor.actor);
    }
    Ok(keys)
}

/// The contents, in the order of the attachments: each there, whole, and as long as the statement says.
pub(super) async fn find(
    batch: &mut Batch<'_>,
    prepared: &Prepared,
    blobs: &[NamedBlob],
) -> Result<Vec<i64>, Fault> {
    if blobs.is_empty() {
        return Ok(Vec::new());
    }
    let digests: Vec<Digest> = blobs.iter().map(|named| named.blob).collect();
    let ctx = &prepared.common.ctx;
    let sent = store::sent_by(batch.conn, ctx, prepared.actor(), &digests).await?;
    let mut ids = Vec::with_capacity(digests.len());
    for (named, index) in blobs.iter().zip(0_usize..) {
        let pointer = format!("/blobs/blobs/{index}");
        // Another organisation's content is as unknown as one that nobody sent.
        let found = sent.iter().find(|row| row.digest == named.blob);
        if let Some(row) = found.filter(|row| row.destroyed) {
            return Err(destroyed(row.month).pointer(pointer).into());
        }
        let Some(row) = found.filter(|row| row.complete) else {
            let have = found.map_or(0, |row| row.have);
            return Err(Problem::new(ProblemKind::AttachmentIncomplete)
                .detail(format!(
                    "attachment {}: {have} bytes of it are here",
                    index + 1
                ))
                .pointer(pointer)
                .into());
        };
        if row.size != named.size {
            return Err(Problem::new(ProblemKind::AttachmentMismatch)
                .detail(format!("attachment {} has another size", index + 1))
                .pointer(format!("{pointer}/size"))
                .into());
        }
        ids.push(row.id);
    }
    Ok(ids)
}

/// Writes which contents the revision names. From now on whoever is delivered the one may read the other.
pub(super) async fn name(
    batch: &mut Batch<'_>,
    revision: &NewRevision<'_>,
    contents: &[i64],
) -> Result<(), Fault> {
    if contents.is_empty() {
        return Ok(());
    }
    let of = (revision.nid, revision.rev, revision.org);
    Ok(store::name(batch.conn, revision.pos, of, contents).await?)
}
