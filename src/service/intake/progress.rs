//! How far a movement is, on its organisation's word; and what happens when it says nothing.

use geojson::GeometryValue;
use time::{Duration, OffsetDateTime};

use super::apply::{self, Incoming, Stored};
use super::batch::{Batch, Fault};
use super::due::{self, Falls, Moments};
use super::fire::{self, Brings, Said};
use super::notification::own_revision;
use super::open::{self, OpenedParts};
use super::prepare::Facts;
use crate::crypto::keyring::destroyed_with;
use crate::domain::due::Due;
use crate::domain::exchange::{MAX_DELAY_S, Step};
use crate::domain::ids::{Nid, Revision};
use crate::domain::kind::Kind;
use crate::domain::machine::{MOVEMENT, MovementEvent, MovementState, RevisionEvent};
use crate::domain::notification::{NotificationState, Subject, Tier};
use crate::service::core::internal;
use crate::store::due::{self as schedule, DueRow};
use crate::store::notifications::RevisionRow;
use crate::store::{actors, notifications, progress as store};
use crate::wire::claims::ProgressClaims;
use crate::wire::object::{MAX_TEXT, Object};
use crate::wire::parts::{Place, ProgressPart, name};
use crate::wire::policy::Policy;
use crate::wire::problem::{Problem, ProblemKind};

/// Judges what can be judged without the state.
pub(super) fn read(opened: &OpenedParts) -> Result<Facts, Problem> {
    let part: ProgressPart = opened.required(name::PROGRESS)?;
    let wrong = |member: &str, what: &str| {
        Err(Problem::new(ProblemKind::InvalidMember)
            .detail(what)
            .pointer(format!("/progress/{member}")))
    };
    match (part.step, part.waypoint, part.delay_s) {
        (Step::AtWaypoint, None, _) => wrong("waypoint", "at which waypoint, counted from 0"),
        (Step::Departed | Step::AtWaypoint, _, Some(_)) => {
            wrong("delay_s", "a delay belongs to `delayed`")
        }
        (Step::Delayed, _, None) => wrong(
            "delay_s",
            "by how many seconds; 0 when it is no longer late",
        ),
        (Step::Delayed, _, Some(late_s)) if late_s > MAX_DELAY_S => wrong(
            "delay_s",
            "at most seven days; notify a revision with new times instead",
        ),
        _ if part
            .note
            .as_ref()
            .is_some_and(|n| n.chars().count() > MAX_TEXT) =>
        {
            wrong("note", "at most 500 characters")
        }
        _ => Ok(Facts::Progress(Box::new(part))),
    }
}

/// Takes an organisation's word on how far a movement is. One that has arrived, or was withdrawn, goes no further.
pub(super) async fn take(
    batch: &mut Batch<'_>,
    incoming: &Incoming<'_>,
    claims: &ProgressClaims,
) -> Result<Stored, Fault> {
    let said = match &incoming.prepared.facts {
        Facts::Progress(said) => Some(said),
        Facts::Destroyed => None,
        _ => return Err(internal("a word on progress without its part").into()),
    };
    let revision = own_revision(
        batch,
        incoming,
        (claims.nid, claims.rev, claims.of),
        RevisionEvent::Progress,
    )
    .await?;
    if revision.kind != Kind::Movement {
        return Err(Problem::new(ProblemKind::StateForbids)
            .detail("a site does not move; confirm it, or revise it")
            .into());
    }
    let place = store::part(batch.conn, revision.pos, name::PLACE)
        .await?
        .ok_or_else(|| internal("a movement without its place"))?;
    // Of a movement that was destroyed, and of a word on it that was, only who said it is left.
    let mut delayed = None;
    if let Some(said) = said.filter(|_| destroyed_with(&place).is_none()) {
        let at = (claims.nid, claims.rev, name::PLACE, place.as_slice());
        let object = judge(batch, incoming, &revision, at, said)?;
        delayed = (said.step == Step::Delayed).then_some(object);
    }
    let ctx = incoming.prepared.common.ctx.clone();
    let mut desks = vec![(revision.org.clone(), None)];
    for coordinator in actors::coordinators(batch.conn, &ctx).await? {
        desks.push((coordinator, None));
    }
    // How far it is tells where it is: those who see the route are told, and nobody below.
    let chosen = notifications::parties(batch.conn, claims.nid).await?;
    desks.extend(
        chosen
            .into_iter()
            .filter(|(_, tier)| *tier == Tier::Exact)
            .map(|(party, tier)| (party, Some(tier))),
    );
    let stored = apply::store_seen(batch, incoming, &desks).await?;
    let at = (claims.nid, claims.rev);
    if let Some(said) = said {
        store::set(batch.conn, &ctx, &revision.org, at, said.step, stored.pos).await?;
    }
    if let (Some(mut object), Some(said)) = (delayed, said) {
        object.delay(said);
        later(batch, claims, object.validity.until()).await?;
    }
    Ok(stored)
}

/// Judges what is said against the movement as it was notified, which it gives.
fn judge(
    batch: &Batch<'_>,
    incoming: &Incoming<'_>,
    revision: &RevisionRow,
    (nid, rev, part, place): (Nid, Revision, &str, &[u8]),
    said: &ProgressPart,
) -> Result<Object, Problem> {
    let place: Place = open::stored(batch.core, &revision.org, nid, rev, (part, place))?;
    let object = Object::read(&place, Subject::Movement, &incoming.policy)?;
    check_waypoint(said, &place)?;
    check_moment(said, batch.at, &incoming.policy)?;
    let event = match said.step {
        Step::Departed | Step::AtWaypoint => MovementEvent::Passed,
        Step::Delayed => MovementEvent::Delayed,
    };
    let until = object.validity.until();
    let missed = until.is_some_and(|until| until < batch.at);
    let ended = revision.state != NotificationState::Current;
    MOVEMENT.next(Some(MovementState::of(ended, missed, true)), event)?;
    Ok(object)
}

fn check_waypoint(said: &ProgressPart, place: &Place) -> Result<(), Problem> {
    let last = match &place.geometry.value {
        GeometryValue::LineString { coordinates } => coordinates.len().saturating_sub(1),
        _ => 0,
    };
    let last = u32::try_from(last).unwrap_or(u32::MAX);
    if said.waypoint.is_none_or(|waypoint| waypoint <= last) {
        return Ok(());
    }
    Err(Problem::new(ProblemKind::InvalidMember)
        .detail(format!(
            "the movement has no such waypoint; its last is {last}, counted from 0"
        ))
        .pointer("/progress/waypoint"))
}

/// What is said was seen, not foreseen.
fn check_moment(said: &ProgressPart, now: OffsetDateTime, policy: &Policy) -> Result<(), Problem> {
    let ahead = Duration::seconds(policy.freshness_s.ahead.into());
    if said.at <= now + ahead {
        return Ok(());
    }
    Err(Problem::new(ProblemKind::InvalidMember)
        .detail("the moment is still to come; say what has happened")
        .pointer("/progress/at"))
}

/// The latest arrival is another now.
async fn later(
    batch: &mut Batch<'_>,
    claims: &ProgressClaims,
    ends: Option<OffsetDateTime>,
) -> Result<(), Fault> {
    let about = claims.nid.uuid();
    schedule::forget(batch.conn, about, Due::SignOfLife).await?;
    let falls = ends.map(|at| Falls {
        what: Due::SignOfLife,
        about,
        rev: claims.rev.get(),
        party: None,
        at,
        begins: None,
    });
    due::schedule(batch, falls.as_slice()).await
}

/// A movement has said nothing by its latest arrival: organisation and coordinator are told. It stays in every check.
pub(super) async fn silent(
    batch: &mut Batch<'_>,
    row: &DueRow,
    moments: Moments,
) -> Result<Option<Brings>, Fault> {
    let Some((revision, item)) = fire::still_current(batch, row).await? else {
        return Ok(None);
    };
    let standing = MovementState::of(false, false, true);
    let Some(event) = MOVEMENT.says(standing, MovementEvent::ArrivalPasses) else {
        return Ok(None);
    };
    Ok(Some(Brings {
        also: Vec::new(),
        does: None,
        said: Said {
            event,
            desks: fire::desks(batch, &revision.org, None).await?,
            organisation: revision.org,
            party: None,
            lead_percent: None,
            due: moments.at,
            step: None,
            transcribed: None,
        },
        item,
        next: None,
    }))
}
