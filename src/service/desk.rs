//! The desk's day, for whoever may know: what waits for a desk, what was said since one of its devices last looked, and
//! which parties are silent. Where anything is, and what was said, stands in the signed parts and never here.

use time::OffsetDateTime;

use super::core::{Core, store as failed};
use super::nudge::choice;
use super::principal::Principal;
use super::{calls, status, threads};
use crate::domain::actor::{ActorKind, ActorState};
use crate::domain::exchange::SILENCE_SENTENCE;
use crate::domain::ids::{LogPosition, Nid, Revision};
use crate::store::actors::ActorRow;
use crate::store::desk::{self as store, Between, SaidRow, SilentRow};
use crate::store::error::StoreError;
use crate::store::{actors, statements, tx};
use crate::wire::api::PendingAdmission;
use crate::wire::claims::{AckItem, Admission, Claims, ScreenResult};
use crate::wire::desk::{
    AboutRevision, Ages, Change, Changes, Look, Looked, PartySilence, Queue, Silence,
};
use crate::wire::problem::{Problem, ProblemKind};
use crate::wire::read;

/// Notifications, or changes, on a page.
pub const PAGE: u32 = 200;
/// Notifications that one change names; more are counted.
const NAMED: usize = 8;

/// What is asked of the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// Also what the device has seen at its last look.
    pub all: bool,
    /// Behind this position.
    pub after: LogPosition,
    /// At most so many notifications, 1 to [`PAGE`].
    pub limit: u32,
}

fn check_limit(limit: u32) -> Result<(), Problem> {
    if (1..=PAGE).contains(&limit) {
        return Ok(());
    }
    Err(Problem::new(ProblemKind::InvalidQuery)
        .detail(format!("limit is 1 to {PAGE}"))
        .pointer("/limit"))
}

/// What waits for the asking desk. Calls, admissions and threads stand on the first page only, and always: they are not
/// for having been seen once.
///
/// # Errors
/// `invalid-query` for another limit; the database's.
pub async fn queue(core: &Core, principal: &Principal, wanted: Wanted) -> Result<Queue, Problem> {
    check_limit(wanted.limit)?;
    let desk = (principal.kind, &principal.actor);
    let first = wanted.after == LogPosition(0);
    let coordinator = principal.kind == ActorKind::Coordinator;
    let read = async {
        let mut tx = tx::begin(&core.pools.app, &principal.tenant()).await?;
        let upto = store::reach(&mut tx, (&principal.ctx, &principal.actor)).await?;
        let look = store::look(&mut tx, device(principal)).await?;
        // What was returned to an organisation is not mended by having been seen.
        let since = match look {
            Some(look) if !wanted.all && principal.kind != ActorKind::Organisation => look.pos,
            _ => LogPosition(0),
        };
        let after = wanted.after.max(since);
        let mut rows = store::waiting(&mut tx, desk, after, wanted.limit + 1).await?;
        let more_rows = u32::try_from(rows.len()).is_ok_and(|n| n > wanted.limit);
        rows.truncate(usize::try_from(wanted.limit).unwrap_or(usize::MAX));
        let next = rows.last().map(|(_, pos)| *pos).filter(|_| more_rows);
        let behind = store::how_many_wait(&mut tx, desk, after).await?;
        let (seen, oldest) = if first && since > LogPosition(0) {
            let all = store::how_many_wait(&mut tx, desk, LogPosition(0)).await?;
            let oldest = store::waiting(&mut tx, desk, LogPosition(0), 1).await?;
            let oldest = oldest.first().filter(|(_, pos)| *pos <= since);
            (
                all.saturating_sub(behind),
                oldest.map(|(nid, _)| nid.reference()),
            )
        } else {
            (0, None)
        };
        let nids: Vec<Nid> = rows.iter().map(|(nid, _)| *nid).collect();
        let notifications = status::load(&mut tx, &nids, principal).await?;
        let admissions = if first && coordinator {
            crate::store::status::unadmitted(&mut tx, &principal.ctx).await?
        } else {
            Vec::new()
        };
        let unreached = if first && coordinator {
            choice::troubles(&mut tx).await?
        } else {
            Vec::new()
        };
        let calls = if first {
            calls::load(&mut tx, principal).await?
        } else {
            Vec::new()
        };
        tx.rollback().await?;
        let shown = u64::try_from(nids.len()).unwrap_or(0);
        let more = behind.saturating_sub(shown);
        let queue = Queue {
            calls,
            notifications: Vec::new(),
            admissions: Vec::new(),
            threads: Vec::new(),
            unreached,
            more,
            seen,
            oldest_seen: oldest,
            look,
            upto,
            next,
        };
        Ok((queue, notifications, admissions))
    };
    let (mut queue, notifications, waiting) = read.await.map_err(|e: StoreError| failed(&e))?;
    queue.notifications = notifications.whole(core)?;
    queue.admissions = admissions(waiting)?;
    if first && principal.kind == ActorKind::Organisation {
        queue.threads = threads::open(core, principal).await?.threads;
    }
    Ok(queue)
}

fn admissions(waiting: Vec<ActorRow>) -> Result<Vec<PendingAdmission>, Problem> {
    let mut admissions = Vec::with_capacity(waiting.len());
    for actor in waiting {
        let Some(root) = &actor.root else { continue };
        let root = super::intake::root_kid(root)?;
        admissions.push(PendingAdmission {
            actor: actor.actor,
            kind: actor.kind,
            name: actor.name,
            root,
        });
    }
    Ok(admissions)
}

type Device<'a> = (
    &'a crate::domain::ids::ContextId,
    &'a crate::domain::ids::ActorId,
    &'a crate::domain::ids::DeviceId,
);

const fn device(principal: &Principal) -> Device<'_> {
    (&principal.ctx, &principal.actor, &principal.device)
}

/// Says that the asking device has shown everything up to a position.
///
/// # Errors
/// `invalid-member` for a position that there is not yet; the database's.
pub async fn looked(core: &Core, principal: &Principal, looked: Looked) -> Result<Look, Problem> {
    let set = async {
        let mut tx = tx::begin(&core.pools.app, &principal.tenant()).await?;
        let reach = store::reach(&mut tx, (&principal.ctx, &principal.actor)).await?;
        if looked.pos > reach {
            tx.rollback().await?;
            return Ok(Err(reach));
        }
        let look = store::set_look(&mut tx, device(principal), looked.pos).await?;
        tx.commit().await?;
        Ok(Ok(look))
    };
    let set = set.await.map_err(|e: StoreError| failed(&e))?;
    set.map_err(|reach| {
        Problem::new(ProblemKind::InvalidMember)
            .detail(format!("the last that concerns this desk is {reach}"))
            .pointer("/pos")
    })
}

/// What was said to the asking desk, and by its own devices, oldest first.
///
/// # Errors
/// `invalid-query` for another limit; the database's.
pub async fn changes(
    core: &Core,
    principal: &Principal,
    between: Between,
    limit: u32,
) -> Result<Changes, Problem> {
    check_limit(limit)?;
    let read = async {
        let mut tx = tx::begin(&core.pools.app, &principal.tenant()).await?;
        let of = (&principal.ctx, &principal.actor);
        let rows = store::said(&mut tx, of, between, limit + 1).await?;
        tx.rollback().await?;
        Ok(rows)
    };
    let mut rows = read.await.map_err(|e: StoreError| failed(&e))?;
    let more = u32::try_from(rows.len()).is_ok_and(|n| n > limit);
    rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let next = rows.last().map(|row| row.pos).filter(|_| more);
    Ok(Changes {
        changes: rows.iter().map(change).collect::<Result<_, _>>()?,
        next,
    })
}

/// What is public of a statement.
fn change(row: &SaidRow) -> Result<Change, Problem> {
    let (_, claims) = read::read(&row.jws)
        .map_err(|_| super::core::internal("a stored statement cannot be read"))?;
    let mut about = Vec::new();
    let mut more = 0;
    match &claims {
        Claims::Ack(ack) => {
            about.extend(ack.items.iter().take(NAMED).map(|i| named(i.nid, i.rev)));
            more = u64::try_from(ack.items.len().saturating_sub(NAMED)).unwrap_or(0);
        }
        Claims::Relay(relay) => {
            about.extend(relay.items.iter().take(NAMED).map(|i| named(i.nid, i.rev)));
            more = u64::try_from(relay.items.len().saturating_sub(NAMED)).unwrap_or(0);
        }
        Claims::Respond(c) => about.push(named(c.nid, Revision::FIRST)),
        Claims::Resolve(c) => about.push(named(c.nid, Revision::FIRST)),
        other => about.extend(other.revision().map(|(nid, rev)| named(nid, rev))),
    }
    let (word, to) = word(&claims);
    Ok(Change {
        pos: row.pos,
        seq: row.seq,
        at: row.at,
        kind: claims.kind(),
        by: claims.common().iss,
        on_behalf: claims.on_behalf().map(|word| word.org.clone()),
        word,
        to,
        about,
        more,
    })
}

fn named(nid: Nid, rev: Revision) -> AboutRevision {
    AboutRevision {
        nid,
        reference: nid.reference(),
        rev,
    }
}

/// The word that a statement says in the clear, and whom it speaks to or of.
fn word(claims: &Claims) -> (Option<String>, Option<crate::domain::ids::ActorId>) {
    match claims {
        Claims::Screen(c) => {
            let word = match c.result {
                ScreenResult::Screened => "screened",
                ScreenResult::Returned => "returned",
            };
            (Some(word.to_owned()), None)
        }
        Claims::Ack(c) => (ack_word(&c.items), Some(c.to.clone())),
        Claims::Admit(c) => {
            let word = match c.state {
                Admission::Admitted => "admitted",
                Admission::Suspended => "suspended",
                Admission::Left => "left",
            };
            (Some(word.to_owned()), Some(c.actor.clone()))
        }
        Claims::Close(c) => (Some(c.outcome.to_string()), None),
        Claims::Warn(c) => (None, Some(c.to.clone())),
        Claims::Reply(c) => (None, Some(c.to.clone())),
        Claims::Respond(c) => (None, Some(c.to.clone())),
        Claims::Invite(c) => (None, Some(c.actor.clone())),
        Claims::Revoke(c) => (None, Some(c.actor.clone())),
        Claims::Relay(c) => (None, Some(c.party.clone())),
        _ => (None, None),
    }
}

/// The one state that all items say; none when they differ.
fn ack_word(items: &[AckItem]) -> Option<String> {
    let first = items.first()?.state;
    let same = items.iter().all(|item| item.state == first);
    same.then(|| first.to_string())
}

/// Which parties have not answered, and for how long.
///
/// # Errors
/// The database's.
pub async fn silence(core: &Core, principal: &Principal) -> Result<Silence, Problem> {
    let read = async {
        let mut tx = tx::begin(&core.pools.app, &principal.tenant()).await?;
        let as_of = statements::now(&mut tx).await?;
        let silent = store::silent(&mut tx).await?;
        let seen = store::seen(&mut tx).await?;
        let actors = actors::all(&mut tx, &principal.ctx).await?;
        tx.rollback().await?;
        Ok((as_of, silent, seen, actors))
    };
    let (as_of, mut silent, seen, actors) = read.await.map_err(|e: StoreError| failed(&e))?;
    let mut parties = Vec::new();
    for actor in actors.into_iter().filter(|a| a.kind == ActorKind::Party) {
        let row = silent.iter().position(|row| row.party == actor.actor);
        let row = row.map(|index| silent.swap_remove(index));
        let shown = match principal.kind {
            ActorKind::Coordinator => actor.state != ActorState::Invited || row.is_some(),
            ActorKind::Party => actor.actor == principal.actor,
            _ => row.is_some(),
        };
        if shown {
            let seen = seen.iter().find(|(of, ..)| *of == actor.actor);
            parties.push(party_silence(actor, row, seen.map(|(_, n, at)| (*n, *at))));
        }
    }
    Ok(Silence {
        as_of,
        parties,
        says: SILENCE_SENTENCE.to_owned(),
    })
}

fn party_silence(
    actor: ActorRow,
    row: Option<SilentRow>,
    seen: Option<(u64, Option<OffsetDateTime>)>,
) -> PartySilence {
    let taken_at = row.as_ref().and_then(|row| row.taken_at);
    PartySilence {
        no_device: actor.desk_key.is_none() || seen.is_some_and(|(devices, _)| devices == 0),
        party: actor.actor,
        name: actor.name,
        state: actor.state,
        since: actor.since,
        ends: actor.next.map(|(_, from)| from),
        waiting: row.as_ref().map_or_else(Ages::default, |row| row.waiting),
        not_taken: row.as_ref().map_or(0, |row| row.not_taken),
        window_ended: row.as_ref().map_or(0, |row| row.window_ended),
        oldest: row.and_then(|row| row.oldest),
        last_seen: seen.map_or(taken_at, |(_, at)| at),
    }
}
