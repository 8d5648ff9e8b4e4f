//! New notifications of a group, stored together. Each is judged on its own, in order, and then waits; all that wait are
//! written before anything else looks at the state, and before the commit. An import is made of little else.

use std::collections::{HashMap, HashSet};

use super::batch::Batch;
use super::place::PlaceFacts;
use super::prepare::{Facts, Prepared};
use super::{Bearer, Job};
use crate::domain::ids::{ActorId, LogPosition, Nid, Revision};
use crate::domain::notification::Subject;
use crate::store::arrivals::{self, Arrival, Candidate};
use crate::store::due::{self, NewDue};
use crate::store::error::StoreError;
use crate::store::notifications::{Chosen, NewCover, NewRevision};
use crate::store::statements::NewStatement;
use crate::wire::claims::Claims;

/// A new notification that was judged, has its position and its receipt, and waits to be written.
pub(super) struct Waiting<'a> {
    /// The statement.
    pub prepared: &'a Prepared,
    /// The actor whose device brought it.
    pub submitted_by: &'a ActorId,
    /// Its position.
    pub pos: LogPosition,
    /// Its receipt.
    pub receipt: String,
    /// The revision.
    pub revision: NewRevision<'a>,
    /// A site, or a movement.
    pub subject: Subject,
    /// What the index sees.
    pub facts: &'a PlaceFacts,
    /// Desks that hear of it beside the parties, each once.
    pub desks: Vec<ActorId>,
    /// The parties.
    pub chosen: Vec<Chosen>,
    /// What it gives rise to in time.
    pub falls: Vec<NewDue>,
}

/// Which of these begin a notification that nothing stored, and nothing else in the group, has to do with.
pub(super) async fn fresh(batch: &mut Batch<'_>, jobs: &[Job]) -> Result<Vec<bool>, StoreError> {
    let begun: Vec<Option<Nid>> = begun(jobs);
    let candidates: Vec<Candidate<'_>> = jobs
        .iter()
        .zip(&begun)
        .filter_map(|(job, nid)| {
            nid.map(|nid| Candidate {
                hash: job.prepared.hash,
                issuer: &job.prepared.common.iss,
                jti: job.prepared.common.jti,
                nid,
            })
        })
        .collect();
    let ctx = batch.ctx();
    let mut unheard_of = arrivals::unheard_of(batch.conn, ctx, &candidates)
        .await?
        .into_iter();
    let answer = |nid: Option<Nid>| nid.is_some() && unheard_of.next() == Some(true);
    Ok(begun.into_iter().map(answer).collect())
}

/// For each what it begins, if it shares neither bytes nor ids with another of the group.
fn begun(jobs: &[Job]) -> Vec<Option<Nid>> {
    let mut hashes = HashMap::new();
    let mut ids = HashMap::new();
    for job in jobs {
        *hashes.entry(job.prepared.hash).or_insert(0_u32) += 1;
        *ids.entry(id(job)).or_insert(0_u32) += 1;
    }
    let mut nids = HashSet::new();
    let once = |count: Option<&u32>| count == Some(&1);
    jobs.iter()
        .map(|job| {
            let nid = begins(job)?;
            let alone = once(hashes.get(&job.prepared.hash)) && once(ids.get(&id(job)));
            (nids.insert(nid) && alone).then_some(nid)
        })
        .collect()
}

fn id(job: &Job) -> (String, uuid::Uuid) {
    let common = &job.prepared.common;
    (common.iss.to_string(), common.jti)
}

fn begins(job: &Job) -> Option<Nid> {
    let (nid, rev, prev) = match &job.prepared.claims {
        Claims::Site(c) => (c.nid, c.rev, c.prev),
        Claims::Movement(c) => (c.nid, c.rev, c.prev),
        _ => return None,
    };
    let first = rev == Revision::FIRST && prev.is_none();
    // What names contents has to do with what is stored.
    if matches!(&job.prepared.facts, Facts::Place(facts) if !facts.blobs.is_empty()) {
        return None;
    }
    (first && matches!(job.bearer, Bearer::Device(_))).then_some(nid)
}

/// Writes what waits. What comes next sees all of it.
pub(super) async fn flush(batch: &mut Batch<'_>) -> Result<(), StoreError> {
    let mut waiting = std::mem::take(&mut batch.waiting);
    let falls: Vec<NewDue> = waiting
        .iter_mut()
        .flat_map(|one| std::mem::take(&mut one.falls))
        .collect();
    let at = batch.at;
    let arrivals = waiting.iter().map(|one| {
        let (prepared, facts) = (one.prepared, one.facts);
        Arrival {
            statement: NewStatement {
                pos: one.pos,
                hash: prepared.hash,
                ctx: &prepared.common.ctx,
                issuer: &prepared.common.iss,
                kid: prepared.kid,
                jti: prepared.common.jti,
                kind: prepared.claims.kind(),
                jws: &prepared.jws,
                receipt: &one.receipt,
                submitted_by: one.submitted_by,
                at,
            },
            records: &prepared.records,
            revision: &one.revision,
            subject: one.subject,
            cover: NewCover {
                ewkb: facts.cover.as_deref().unwrap_or_default(),
                from: facts.validity.from(),
                until: facts.validity.until(),
            },
            desks: &one.desks,
            chosen: one.chosen.clone(),
        }
    });
    let ctx = batch.ctx();
    arrivals::insert(batch.conn, ctx, arrivals.collect()).await?;
    due::insert(batch.conn, ctx, &falls).await
}
