//! Calls for help, the answers to them, and how they end. A call is refused for what it is, never for when it was signed;
//! a party that cannot be told is left out and named, rather than that the others hear nothing.

use time::Duration;

use super::apply::{self, Incoming, Stored};
use super::batch::{Batch, Fault};
use super::due::{self, Falls, Moments};
use super::fire::{Brings, Said};
use super::open::OpenedParts;
use super::place;
use super::prepare::Facts;
use crate::domain::actor::{ActorKind, ActorState, Role};
use crate::domain::due::Due;
use crate::domain::exchange::{
    DISTRESS_SENTENCE, DISTRESS_STEP_MINUTES, DISTRESS_STEPS, DistressState,
};
use crate::domain::ids::{ActorId, Nid, Revision, Seq};
use crate::domain::machine::{CALL, CallEvent};
use crate::domain::notification::Tier;
use crate::service::core::internal;
use crate::spatial::Position;
use crate::store::distress::{self as store, Call};
use crate::store::due::DueRow;
use crate::store::{actors, due as schedule, notifications};
use crate::wire::claims::{About, DistressClaims, ResolveClaims, RespondClaims};
use crate::wire::object::MAX_TEXT;
use crate::wire::parts::{
    Audience, DistressDetail, DistressPosition, Person, ResolutionDetail, ResponseDetail, name,
};
use crate::wire::problem::{Problem, ProblemKind};

/// The longest telephone number of a caller, in characters: people write what they can.
const MAX_PHONE: usize = 64;

/// What a call's parts say that the state depends on.
pub(super) struct CallFacts {
    /// The parties called, each once.
    pub audiences: Vec<Audience>,
}

/// Judges what can be judged of a call without the state.
pub(super) fn read_call(claims: &DistressClaims, opened: &OpenedParts) -> Result<Facts, Problem> {
    if claims.rev != Revision::FIRST {
        return Err(Problem::new(ProblemKind::InvalidMember)
            .detail("a call for help is not revised: its revision is 1")
            .pointer("/rev"));
    }
    let detail: DistressDetail = opened.required(name::DETAIL)?;
    if detail.text.trim().is_empty() || detail.text.chars().count() > MAX_TEXT {
        return Err(refused("text", &format!("1 to {MAX_TEXT} characters")));
    }
    if detail.phone.is_some_and(|p| p.chars().count() > MAX_PHONE) {
        return Err(refused("phone", &format!("at most {MAX_PHONE} characters")));
    }
    if detail.says != DISTRESS_SENTENCE {
        return Err(refused(
            "says",
            "the sentence of the protocol, word for word",
        ));
    }
    let position: Option<DistressPosition> = opened.typed(name::POSITION)?;
    match &position {
        None if claims.about.is_none() => {
            return Err(Problem::new(ProblemKind::MissingPart)
                .detail("a call that names no notification says where: the part position"));
        }
        Some(at) if Position::new(at.position[0], at.position[1]).is_err() => {
            return Err(Problem::new(ProblemKind::GeometryOutOfRange)
                .detail("where help is needed; give longitude, then latitude")
                .pointer("/position/position"));
        }
        _ => {}
    }
    let audiences = place::audiences(opened)?;
    for audience in &audiences {
        check_audience(audience)?;
    }
    Ok(Facts::Distress(Box::new(CallFacts { audiences })))
}

/// Cells may be given or not: they are where to look, and nothing is left uncovered by them.
fn check_audience(audience: &Audience) -> Result<(), Problem> {
    let part = name::audience(&audience.party);
    let lower = matches!(audience.tier, Tier::OnCheck | Tier::Cell);
    if audience.tier == Tier::Withdrawn || (!lower && !audience.cells.is_empty()) {
        return Err(Problem::new(ProblemKind::InvalidMember)
            .detail(
                "a party is called at the tier exact, or at on_check or cell with cells or without",
            )
            .pointer(format!("/{part}/tier")));
    }
    let pointer = format!("/{part}/cells");
    place::read_cells(&audience.cells)
        .map(drop)
        .map_err(|error| place::refused_cells(&error, &pointer))
}

fn refused(member: &str, why: &str) -> Problem {
    Problem::new(ProblemKind::InvalidMember)
        .detail(why)
        .pointer(format!("/{}/{member}", name::DETAIL))
}

/// Judges what can be judged of an answer without the state: a named officer answers.
pub(super) fn read_response(opened: &OpenedParts) -> Result<Facts, Problem> {
    let detail: ResponseDetail = opened.required(name::DETAIL)?;
    check_officer(&detail.officer)?;
    check_text(detail.text.as_deref())?;
    Ok(Facts::None)
}

/// Judges what can be judged of an end without the state.
pub(super) fn read_resolution(opened: &OpenedParts) -> Result<Facts, Problem> {
    let detail: ResolutionDetail = opened.required(name::DETAIL)?;
    check_text(detail.text.as_deref())?;
    Ok(Facts::None)
}

fn check_officer(officer: &Person) -> Result<(), Problem> {
    if officer.name.trim().is_empty() || officer.name.chars().count() > MAX_TEXT {
        return Err(refused("officer/name", "the officer's name"));
    }
    Ok(())
}

fn check_text(text: Option<&str>) -> Result<(), Problem> {
    if text.is_some_and(|t| t.chars().count() > MAX_TEXT) {
        return Err(refused("text", &format!("at most {MAX_TEXT} characters")));
    }
    Ok(())
}

/// Takes a call for help.
pub(super) async fn call(
    batch: &mut Batch<'_>,
    incoming: &Incoming<'_>,
    claims: &DistressClaims,
) -> Result<Stored, Fault> {
    let Facts::Distress(facts) = &incoming.prepared.facts else {
        return Err(internal("a call for help without its facts").into());
    };
    let (ctx, org) = (&incoming.prepared.common.ctx, incoming.prepared.actor());
    if store::is_taken(batch.conn, claims.nid).await? {
        return Err(Problem::new(ProblemKind::ReusedRevision)
            .detail("this id was given before; a call for help has its own")
            .pointer("/nid")
            .into());
    }
    if let Some(about) = &claims.about {
        check_about(batch, org, about).await?;
    }
    let (parties, left_out) = whom(batch, incoming, &facts.audiences).await?;
    let mut told = vec![(org.clone(), None)];
    let coordinators = actors::coordinators(batch.conn, ctx).await?;
    told.extend(coordinators.into_iter().map(|actor| (actor, None)));
    told.extend(
        parties
            .iter()
            .map(|(party, tier)| (party.clone(), Some(*tier))),
    );
    let mut stored = apply::store_seen(batch, incoming, &told).await?;
    let called: Vec<_> = told
        .into_iter()
        .zip(&stored.seqs)
        .map(|((actor, tier), seq)| (actor, tier, *seq))
        .collect();
    let new = Call {
        nid: claims.nid,
        ctx: ctx.clone(),
        org: org.clone(),
        pos: stored.pos,
        hash: incoming.prepared.hash,
        about: claims.about.map(|about| about.nid),
        state: CALL.next(None, CallEvent::Call)?.to,
        at: batch.at,
    };
    store::insert(batch.conn, &new, &called).await?;
    batch.calls.extend(
        called
            .into_iter()
            .map(|(actor, _, seq)| (actor, Seq(u64::try_from(seq).unwrap_or(0)))),
    );
    let first = step(&new, 1, batch.at);
    due::schedule(batch, first.as_slice()).await?;
    if parties.is_empty() {
        stored
            .remarks
            .push("No party is called, only the coordinator.".to_owned());
    }
    stored.remarks.extend(left_out.iter().map(|party| {
        format!("{party} is not told: it is not a party that the coordinator admitted.")
    }));
    Ok(stored)
}

/// The call is about a notification of the organisation's own; an older revision, or one that is no longer current, will
/// do as well.
async fn check_about(batch: &mut Batch<'_>, org: &ActorId, about: &About) -> Result<(), Fault> {
    let revision = notifications::revision(batch.conn, batch.ctx(), about.nid, about.rev).await?;
    // Nobody learns from a refusal that another's notification exists.
    if revision.is_some_and(|r| r.org == *org && r.hash == about.of) {
        return Ok(());
    }
    Err(Problem::new(ProblemKind::UnknownNotification)
        .pointer("/about")
        .into())
}

/// The parties that can be told, and those that cannot.
async fn whom(
    batch: &mut Batch<'_>,
    incoming: &Incoming<'_>,
    audiences: &[Audience],
) -> Result<(Vec<(ActorId, Tier)>, Vec<ActorId>), Fault> {
    let ctx = &incoming.prepared.common.ctx;
    let actors = batch.standing.actors(batch.conn, ctx).await?;
    let (mut told, mut left_out) = (Vec::new(), Vec::new());
    for audience in audiences {
        let stands = actors.iter().any(|a| {
            a.actor == audience.party
                && a.kind == ActorKind::Party
                && a.desk_key.is_some()
                && a.state == ActorState::Admitted
        });
        if stands {
            told.push((audience.party.clone(), audience.tier));
        } else {
            left_out.push(audience.party.clone());
        }
    }
    Ok((told, left_out))
}

/// Takes an officer's answer to a call. A second one is kept and passed on like the first.
pub(super) async fn respond(
    batch: &mut Batch<'_>,
    incoming: &Incoming<'_>,
    claims: &RespondClaims,
) -> Result<Stored, Fault> {
    let by = incoming.prepared.actor();
    let call = store::call(batch.conn, batch.ctx(), claims.nid).await?;
    let call = call.filter(|c| c.org == claims.to && c.hash == claims.re);
    let Some(call) = call else {
        return Err(unknown().into());
    };
    let told = told(batch, &call).await?;
    let coordinator = incoming.prepared.device()?.role == Role::Coordinator;
    let called = told
        .iter()
        .any(|(actor, tier)| actor == by && tier.is_some());
    if !coordinator && !called {
        return Err(unknown().into());
    }
    let state = after(&call, CallEvent::Respond)?;
    let stored = apply::store_seen(batch, incoming, &told).await?;
    store::answer(batch.conn, call.nid, by, batch.at).await?;
    store::set_state(batch.conn, call.nid, state).await?;
    schedule::forget(batch.conn, call.nid.uuid(), Due::Distress).await?;
    Ok(stored)
}

/// Takes the organisation's word on how its call ended.
pub(super) async fn resolve(
    batch: &mut Batch<'_>,
    incoming: &Incoming<'_>,
    claims: &ResolveClaims,
) -> Result<Stored, Fault> {
    let by = incoming.prepared.actor();
    let call = store::call(batch.conn, batch.ctx(), claims.nid).await?;
    let Some(call) = call.filter(|c| c.org == *by && c.hash == claims.re) else {
        return Err(unknown().into());
    };
    let state = after(&call, CallEvent::Resolve)?;
    let told = told(batch, &call).await?;
    let mut stored = apply::store_seen(batch, incoming, &told).await?;
    store::set_state(batch.conn, call.nid, state).await?;
    schedule::forget(batch.conn, call.nid.uuid(), Due::Distress).await?;
    if call.state == DistressState::Open {
        stored.remarks.push(format!(
            "{} ends before anybody has answered it.",
            call.nid.reference()
        ));
    }
    Ok(stored)
}

/// Nobody learns from a refusal that another's call exists.
fn unknown() -> Problem {
    Problem::new(ProblemKind::UnknownCall).pointer("/nid")
}

/// Where a call stands after this.
fn after(call: &Call, event: CallEvent) -> Result<DistressState, Problem> {
    let step = CALL.next(Some(call.state), event);
    let ended = |refusal| Problem::from(refusal).detail("the organisation has ended this call");
    Ok(step.map_err(ended)?.to)
}

/// Everybody who is told of what becomes of a call, each once: those that it was delivered to, and the coordinators of
/// now.
async fn told(batch: &mut Batch<'_>, call: &Call) -> Result<Vec<(ActorId, Option<Tier>)>, Fault> {
    let called = store::called(batch.conn, &[call.nid]).await?;
    let mut told: Vec<_> = called.into_iter().map(|c| (c.actor, c.tier)).collect();
    for coordinator in actors::coordinators(batch.conn, &call.ctx).await? {
        if told.iter().all(|(actor, _)| *actor != coordinator) {
            told.push((coordinator, None));
        }
    }
    Ok(told)
}

/// A minute after the step before it, until the last.
fn step(call: &Call, number: u32, after: time::OffsetDateTime) -> Option<Falls> {
    if number > DISTRESS_STEPS {
        return None;
    }
    Some(Falls {
        what: Due::Distress,
        about: call.nid.uuid(),
        rev: number,
        party: None,
        at: after.checked_add(Duration::minutes(DISTRESS_STEP_MINUTES))?,
        begins: None,
    })
}

/// Nobody has answered for another minute: everybody is told again, one step further.
pub(super) async fn unanswered(
    batch: &mut Batch<'_>,
    row: &DueRow,
    moments: Moments,
) -> Result<Option<Brings>, Fault> {
    let call = store::call(batch.conn, batch.ctx(), Nid::from_uuid(row.about)).await?;
    let Some(call) = call else {
        return Ok(None);
    };
    let Some(event) = CALL.says(call.state, CallEvent::MinutePasses) else {
        return Ok(None);
    };
    let told = told(batch, &call).await?;
    Ok(Some(Brings {
        also: Vec::new(),
        does: None,
        next: step(&call, row.rev.saturating_add(1), moments.at),
        item: About {
            nid: call.nid,
            rev: Revision::FIRST,
            of: call.hash,
        },
        said: Said {
            event,
            organisation: call.org,
            party: None,
            lead_percent: None,
            due: moments.at,
            step: Some(row.rev),
            transcribed: None,
            desks: told.into_iter().map(|(actor, _)| actor).collect(),
        },
    }))
}
