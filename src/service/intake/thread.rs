//! Queries, warnings and replies between one party and one organisation; the coordinator reads along, and no other party
//! hears of any of it. None of them moves a notification: a query is an acknowledgement that asks something, a warning
//! says what a party alleges, a reply answers either. Silence on one is said when its time has passed.

use time::OffsetDateTime;
use uuid::Uuid;

use super::apply::{self, Incoming, Stored};
use super::batch::{Batch, Fault};
use super::due::{self, Falls, Moments};
use super::fire::{self, Brings, Said};
use super::notification::check_still_on_behalf;
use super::open::OpenedParts;
use super::prepare::Facts;
use crate::crypto::digest::Digest;
use crate::domain::ack::AckState;
use crate::domain::due::Due;
use crate::domain::exchange::{
    Answer, Ask, MAX_DUE_AHEAD, MAX_SAID_CHARS, ThreadKind, ThreadState, WARNING_SENTENCE,
    query_due, warning_due,
};
use crate::domain::ids::{ActorId, LogPosition, Nid, Revision};
use crate::domain::kind::Kind;
use crate::domain::machine::{NOTIFICATION, NotificationEvent, THREAD, ThreadEvent};
use crate::domain::notification::{NotificationState, Tier};
use crate::service::core::internal;
use crate::service::records::Record;
use crate::store::due::DueRow;
use crate::store::notifications::{self, Acknowledged};
use crate::store::threads::{self, NewThread, NewThreads, ThreadRow};
use crate::store::{self, actors};
use crate::wire::claims::{About, AckItem, ReplyClaims, WarnClaims};
use crate::wire::object::MAX_TEXT;
use crate::wire::parts::{AckItemDetail, Person, ReplyDetail, Warning, name};
use crate::wire::problem::{Problem, ProblemKind};

/// A thread's id: of the statement that opens it and the notification that it is on, so that it is the same whenever the
/// statements are folded again.
fn id(of: &Digest, nid: Nid) -> Uuid {
    let digest = Digest::of_parts(&[of.as_bytes(), nid.uuid().as_bytes()]);
    let (first, _) = digest.as_bytes().split_at(16);
    Uuid::from_slice(first).unwrap_or_default()
}

/// Judges what can be judged of a warning without the state.
pub(super) fn read_warning(opened: &OpenedParts) -> Result<Facts, Problem> {
    let warning: Warning = opened.required(name::DETAIL)?;
    check_officer(&warning.officer)?;
    check_said(&warning.alleges, "/detail/alleges")?;
    if warning.says != WARNING_SENTENCE {
        return Err(Problem::new(ProblemKind::InvalidMember)
            .detail(format!("every warning says: {WARNING_SENTENCE}"))
            .pointer("/detail/says"));
    }
    Ok(Facts::Warning(Box::new(warning)))
}

/// Judges what can be judged of a reply without the state.
pub(super) fn read_reply(opened: &OpenedParts) -> Result<Facts, Problem> {
    let reply: ReplyDetail = opened.required(name::DETAIL)?;
    check_said(&reply.text, "/detail/text")?;
    match (reply.answer, reply.amended) {
        (Answer::Amended, None) => Err(Problem::new(ProblemKind::MissingMember)
            .detail("the revision in which it was amended")
            .pointer("/detail/amended")),
        (Answer::Explained | Answer::Accepted | Answer::Declined, Some(_)) => {
            Err(Problem::new(ProblemKind::InvalidMember)
                .detail("only the answer amended names a revision")
                .pointer("/detail/amended"))
        }
        _ => Ok(Facts::Reply(Box::new(reply))),
    }
}

fn check_officer(officer: &Person) -> Result<(), Problem> {
    let length = officer.name.trim().chars().count();
    if (1..=MAX_TEXT).contains(&length) {
        return Ok(());
    }
    Err(Problem::new(ProblemKind::InvalidMember)
        .detail("the officer's name")
        .pointer("/detail/officer/name"))
}

/// What one says to another has some words, and not too many.
pub(super) fn check_said(text: &str, pointer: &str) -> Result<(), Problem> {
    if !text.trim().is_empty() && text.chars().count() <= MAX_SAID_CHARS {
        return Ok(());
    }
    Err(Problem::new(ProblemKind::InvalidMember)
        .detail(format!("1 to {MAX_SAID_CHARS} characters"))
        .pointer(pointer))
}

/// Judges what can be judged of a query without the state, and that nothing else asks.
pub(super) fn check_query(
    index: usize,
    item: &AckItem,
    detail: Option<&AckItemDetail>,
) -> Result<(), Problem> {
    let Some(detail) = detail else { return Ok(()) };
    let pointer = format!("/items/{index}");
    if item.state == AckState::Queried {
        return check_said(detail.question.as_deref().unwrap_or_default(), &pointer);
    }
    if detail.ask.is_some() || detail.due.is_some() {
        return Err(Problem::new(ProblemKind::InvalidMember)
            .detail("ask and due belong to the state queried")
            .pointer(pointer));
    }
    Ok(())
}

/// A thread to open.
pub(super) struct Opening {
    item: usize,
    nid: Nid,
    rev: Revision,
    due: OffsetDateTime,
}

/// What a query opens, on a revision that was delivered to the party.
pub(super) fn query(
    at: OffsetDateTime,
    within_h: u16,
    index: usize,
    item: &AckItem,
    found: &Acknowledged,
    detail: Option<&AckItemDetail>,
) -> Result<Opening, Problem> {
    let asked = detail.and_then(|d| d.ask).unwrap_or(Ask::Clarify);
    if asked != Ask::Clarify {
        let event = NotificationEvent::AskToWait;
        NOTIFICATION
            .next(Some(found.state), event)
            .map_err(|refusal| {
                Problem::from(refusal)
                    .detail("a movement that has ended neither waits nor takes another way")
                    .action("Ask to clarify instead.")
                    .pointer(format!("/items/{index}"))
            })?;
        if found.kind != Kind::Movement {
            return Err(
                Problem::new(ProblemKind::AskNeedsMovement).pointer(format!("/items/{index}"))
            );
        }
    }
    let due = detail.and_then(|d| d.due);
    if due.is_some_and(|due| due < at || due - at > MAX_DUE_AHEAD) {
        return Err(Problem::new(ProblemKind::ReplyTimeInvalid).pointer(format!("/items/{index}")));
    }
    Ok(Opening {
        item: index,
        nid: item.nid,
        rev: item.rev,
        due: query_due(due, at, within_h),
    })
}

/// Opens the threads of a statement that is stored, and puts their times into the schedule.
pub(super) async fn open(
    batch: &mut Batch<'_>,
    incoming: &Incoming<'_>,
    kind: ThreadKind,
    org: &ActorId,
    pos: LogPosition,
    openings: &[Opening],
) -> Result<(), Fault> {
    if openings.is_empty() {
        return Ok(());
    }
    let (of, party) = (incoming.prepared.hash, incoming.prepared.speaks_for());
    let month = batch.core.month()?;
    let (mut items, mut falls) = (Vec::new(), Vec::new());
    for opening in openings {
        let id = id(&of, opening.nid);
        let at = Record::thread(&batch.core.deployment.node.actor, &id);
        let due = crate::domain::clock::micros(opening.due).to_be_bytes();
        items.push(NewThread {
            id,
            item: opening.item,
            nid: opening.nid,
            rev: opening.rev,
            due: batch.core.seal_record(&at.at(), month, &due)?,
        });
        falls.push(Falls {
            what: Due::Reply,
            about: id,
            rev: opening.rev.get(),
            party: Some(party.clone()),
            at: opening.due,
            begins: None,
        });
    }
    let new = NewThreads {
        ctx: &incoming.prepared.common.ctx,
        of,
        pos,
        kind,
        party,
        org,
        at: batch.at,
        month,
        items: &items,
    };
    threads::insert(batch.conn, &new).await?;
    due::schedule(batch, &falls).await
}

/// Takes a party's warning. It changes nothing of the notification that it is about.
pub(super) async fn warn(
    batch: &mut Batch<'_>,
    incoming: &Incoming<'_>,
    claims: &WarnClaims,
) -> Result<Stored, Fault> {
    let cease_by = match &incoming.prepared.facts {
        Facts::Warning(warning) => warning.cease_by,
        Facts::Destroyed => None,
        _ => return Err(internal("a warning without its facts").into()),
    };
    let party = incoming.prepared.actor().clone();
    let asked = [(claims.nid, claims.rev)];
    let found = notifications::acknowledged(batch.conn, batch.ctx(), &party, &asked).await?;
    let found = found
        .into_iter()
        .flatten()
        .find(|f| f.org == claims.to && f.hash == claims.of)
        .ok_or_else(undelivered)?;
    NOTIFICATION
        .next(Some(found.state), NotificationEvent::Warn)
        .map_err(|refusal| {
            Problem::from(refusal)
                .detail("a warning is about what is notified")
                .action("Its civilian status is unchanged. Speak with the organisation and the coordinator on their duty numbers.")
        })?;
    if found.tier == Tier::Withdrawn {
        return Err(undelivered().into());
    }
    let opening = Opening {
        item: 0,
        nid: claims.nid,
        rev: claims.rev,
        due: warning_due(cease_by, batch.at, incoming.policy.reply_within_h),
    };
    let desks = between(batch, incoming, &claims.to).await?;
    let stored = apply::store(batch, incoming, &desks).await?;
    open(
        batch,
        incoming,
        ThreadKind::Warning,
        &claims.to,
        stored.pos,
        &[opening],
    )
    .await?;
    Ok(stored)
}

fn undelivered() -> Problem {
    Problem::new(ProblemKind::UnknownItem)
        .detail("nothing with this id, revision and hash of this organisation was delivered to this party")
        .action("Warn of what the stream delivered.")
}

/// Takes an organisation's reply. Another may follow; the latest counts.
pub(super) async fn reply(
    batch: &mut Batch<'_>,
    incoming: &Incoming<'_>,
    claims: &ReplyClaims,
) -> Result<Stored, Fault> {
    let amended = match &incoming.prepared.facts {
        Facts::Reply(detail) => detail.amended,
        Facts::Destroyed => None,
        _ => return Err(internal("a reply without its facts").into()),
    };
    // Nobody learns from a refusal that another's notification exists.
    let own = notifications::revision(batch.conn, batch.ctx(), claims.nid, claims.rev).await?;
    if own.is_none_or(|r| r.org != *incoming.prepared.speaks_for()) {
        return Err(ProblemKind::UnknownNotification.into());
    }
    let current = notifications::current(batch.conn, batch.ctx(), claims.nid).await?;
    check_still_on_behalf(incoming.prepared, current.is_some_and(|c| c.on_behalf))?;
    let id = id(&claims.re, claims.nid);
    let thread = threads::get(batch.conn, batch.ctx(), id).await?;
    let thread = thread.filter(|t| t.of == claims.re && t.nid == claims.nid && t.rev == claims.rev);
    let standing = thread.as_ref().map(standing);
    THREAD
        .next(standing, ThreadEvent::Reply)
        .map_err(|refusal| Problem::from(refusal).pointer("/re"))?;
    let thread = thread.ok_or(ProblemKind::NothingToReplyTo)?;
    if thread.party != claims.to {
        return Err(Problem::new(ProblemKind::ReplyToAnotherParty)
            .pointer("/to")
            .into());
    }
    if let Some(amended) = amended {
        let revision =
            notifications::revision(batch.conn, batch.ctx(), claims.nid, amended).await?;
        let later = amended > claims.rev
            && revision.is_some_and(|r| matches!(r.kind, Kind::Site | Kind::Movement));
        if !later {
            return Err(Problem::new(ProblemKind::AmendmentUnknown)
                .pointer("/detail/amended")
                .into());
        }
    }
    let desks = between(batch, incoming, &claims.to).await?;
    let stored = apply::store(batch, incoming, &desks).await?;
    let (of, at) = (incoming.prepared.hash, batch.at);
    threads::set_replied(batch.conn, id, of, stored.pos, at).await?;
    store::due::forget(batch.conn, id, Due::Reply).await?;
    Ok(stored)
}

/// Where a thread stands before its time has passed.
fn standing(thread: &ThreadRow) -> ThreadState {
    if thread.replies > 0 {
        ThreadState::Replied
    } else {
        ThreadState::Open
    }
}

/// Those who hear of what is said between two: the other, the coordinator, and the signer's own colleagues.
async fn between(
    batch: &mut Batch<'_>,
    incoming: &Incoming<'_>,
    other: &ActorId,
) -> Result<Vec<ActorId>, Fault> {
    let prepared = incoming.prepared;
    let mut desks = vec![prepared.speaks_for().clone(), other.clone()];
    desks.extend(actors::coordinators(batch.conn, &prepared.common.ctx).await?);
    desks.sort_unstable();
    desks.dedup();
    Ok(desks)
}

/// The time for a reply has passed. Nothing is said of a notification that has ended, nor of one that was replied to.
pub(super) async fn fell_due(
    batch: &mut Batch<'_>,
    row: &DueRow,
    moments: Moments,
) -> Result<Option<Brings>, Fault> {
    let Some(thread) = threads::get(batch.conn, batch.ctx(), row.about).await? else {
        return Ok(None);
    };
    if thread.state != NotificationState::Current {
        return Ok(None);
    }
    let Some(event) = THREAD.says(standing(&thread), ThreadEvent::TimePasses) else {
        return Ok(None);
    };
    Ok(Some(Brings {
        also: Vec::new(),
        does: None,
        said: Said {
            event,
            desks: fire::desks(batch, &thread.org, Some(&thread.party)).await?,
            organisation: thread.org,
            party: Some(thread.party),
            lead_percent: None,
            due: moments.at,
            step: None,
            transcribed: None,
        },
        item: About {
            nid: thread.nid,
            rev: thread.rev,
            of: thread.of,
        },
        next: None,
    }))
}
