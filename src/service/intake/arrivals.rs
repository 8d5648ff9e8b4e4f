//! New notifications and acknowledgements of a group, stored together. Each is judged on its own, in order, and then waits;
//! all that wait are written before anything looks at the state that they change, and before the commit. An import is made
//! of little else than the one, a desk's day of little else than the other.

use std::collections::{HashMap, HashSet};

use super::batch::Batch;
use super::place::PlaceFacts;
use super::prepare::{Facts, Prepared};
use super::{Bearer, Job};
use time::OffsetDateTime;

use crate::domain::ids::{ActorId, ContextId, LogPosition, Nid, Revision};
use crate::domain::notification::Subject;
use crate::store::arrivals::{self, Arrival, Begun, Candidate, What};
use crate::store::due::{self, NewDue};
use crate::store::error::StoreError;
use crate::store::notifications::{Chosen, NewAck, NewAckItem, NewCover, NewRevision};
use crate::store::statements::NewStatement;
use crate::wire::claims::Claims;

/// A statement that was judged, has its position and its receipt, and waits to be written.
pub(super) struct Waiting<'a> {
    /// The statement.
    pub prepared: &'a Prepared,
    /// The actor whose device brought it.
    pub submitted_by: &'a ActorId,
    /// Its position.
    pub pos: LogPosition,
    /// Its receipt.
    pub receipt: String,
    /// Desks that hear of it beside the parties of a notification, each once.
    pub desks: Vec<ActorId>,
    /// What it does.
    pub what: Judged<'a>,
}

/// What a statement that waits does.
pub(super) enum Judged<'a> {
    /// It begins a notification.
    Begins(Box<Beginning<'a>>),
    /// It acknowledges.
    Acknowledges {
        /// The organisation.
        org: &'a ActorId,
        /// The items.
        items: Vec<NewAckItem>,
    },
}

/// A new notification.
pub(super) struct Beginning<'a> {
    /// The revision.
    pub revision: NewRevision<'a>,
    /// A site, or a movement.
    pub subject: Subject,
    /// What the index sees.
    pub facts: &'a PlaceFacts,
    /// The parties.
    pub chosen: Vec<Chosen>,
    /// What it gives rise to in time.
    pub falls: Vec<NewDue>,
}

/// How new a statement is to the database and to its group; by default nothing is known of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Fresh {
    /// Neither its bytes nor its id were seen before.
    pub unheard: bool,
    /// And it begins a notification that nothing has to do with.
    pub begins: bool,
}

/// How new each of these is.
pub(super) async fn fresh(batch: &mut Batch<'_>, jobs: &[Job]) -> Result<Vec<Fresh>, StoreError> {
    let begun = begun(jobs);
    let candidates: Vec<Candidate<'_>> = jobs
        .iter()
        .zip(&begun)
        .map(|(job, (_, nid))| Candidate {
            hash: job.prepared.hash,
            issuer: &job.prepared.common.iss,
            jti: job.prepared.common.jti,
            nid: *nid,
        })
        .collect();
    let ctx = batch.ctx();
    let unheard = arrivals::unheard_of(batch.conn, ctx, &candidates).await?;
    let each = begun.into_iter().zip(unheard);
    let fresh = each.map(|((alone, nid), unheard)| Fresh {
        unheard: alone && unheard,
        begins: alone && unheard && nid.is_some(),
    });
    Ok(fresh.collect())
}

/// For each whether it shares neither bytes nor id with another of the group, and what it begins, if no other of the group
/// begins the same.
fn begun(jobs: &[Job]) -> Vec<(bool, Option<Nid>)> {
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
            let alone = once(hashes.get(&job.prepared.hash)) && once(ids.get(&id(job)));
            (alone, begins(job).filter(|nid| nids.insert(*nid)))
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
        .flat_map(|one| match &mut one.what {
            Judged::Begins(beginning) => std::mem::take(&mut beginning.falls),
            Judged::Acknowledges { .. } => Vec::new(),
        })
        .collect();
    let (ctx, at) = (batch.ctx(), batch.at);
    let arrivals = waiting.iter().map(|one| one.arrival(ctx, at));
    arrivals::insert(batch.conn, ctx, arrivals.collect()).await?;
    due::insert(batch.conn, ctx, &falls).await
}

impl Waiting<'_> {
    /// As the store takes it.
    fn arrival<'s>(&'s self, ctx: &'s ContextId, at: OffsetDateTime) -> Arrival<'s> {
        let prepared = self.prepared;
        let statement = NewStatement {
            pos: self.pos,
            hash: prepared.hash,
            ctx: &prepared.common.ctx,
            issuer: &prepared.common.iss,
            kid: prepared.kid,
            jti: prepared.common.jti,
            kind: prepared.claims.kind(),
            jws: &prepared.jws,
            receipt: &self.receipt,
            submitted_by: self.submitted_by,
            at,
        };
        let what = match &self.what {
            Judged::Begins(beginning) => What::Begins(Begun {
                revision: &beginning.revision,
                subject: beginning.subject,
                cover: NewCover {
                    ewkb: beginning.facts.cover.as_deref().unwrap_or_default(),
                    from: beginning.facts.validity.from(),
                    until: beginning.facts.validity.until(),
                },
                chosen: beginning.chosen.clone(),
            }),
            Judged::Acknowledges { org, items } => What::Acknowledges(NewAck {
                pos: self.pos,
                ctx,
                party: prepared.actor(),
                org,
                at,
                items,
                // A letter is transcribed on its own.
                transcribed: false,
            }),
        };
        Arrival {
            statement,
            records: &prepared.records,
            desks: &self.desks,
            what,
        }
    }
}
