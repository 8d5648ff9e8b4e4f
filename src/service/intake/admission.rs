//! Admission: the coordinator says which root is whose, suspends, and says that a party has left. From that moment on
//! nothing new is handed to a party, its sockets end, and whoever has named it is told; it keeps what it was told until
//! then. The moment may lie ahead: it then stands in the schedule, and counts from itself on, whenever the clockwork comes.

use std::collections::BTreeMap;

use time::OffsetDateTime;

use super::apply::{self, Incoming, Stored};
use super::batch::{Batch, Fault};
use super::desk::{check_name, root_kid};
use super::due::{self, Falls};
use super::own;
use crate::domain::actor::{ActorKind, ActorState};
use crate::domain::clock::from_micros;
use crate::domain::due::Due;
use crate::domain::exchange::{AlertEvent, STANDING_SENTENCE};
use crate::domain::ids::ActorId;
use crate::domain::machine::{ACTOR, ActorEvent, Refusal};
use crate::service::core::internal;
use crate::service::held_back;
use crate::store::actors::{self, ActorRow, NewStanding};
use crate::store::due::DueRow;
use crate::wire::claims::{About, Admission, AdmitClaims, AlertClaims};
use crate::wire::parts::AlertDetail;
use crate::wire::problem::{Problem, ProblemKind};

/// Items of one alert.
const ITEMS: usize = 1_000;
/// How far ahead a moment may be set: a year.
const MOST_AHEAD_S: i64 = 366 * 86_400;

/// Takes an admission, a suspension, or the word that a party has left.
pub(super) async fn admit(
    batch: &mut Batch<'_>,
    incoming: &Incoming<'_>,
    claims: &AdmitClaims,
) -> Result<Stored, Fault> {
    let ctx = &incoming.prepared.common.ctx;
    let (actor, state) = known(batch, incoming, claims).await?;
    check_name(&claims.name)?;
    let from = moment(batch.at, claims)?;
    if state == ActorState::Left && actor.kind != ActorKind::Party {
        return Err(Problem::new(ProblemKind::InvalidMember)
            .detail("only a party leaves; an organisation takes back what it has notified, and is suspended")
            .pointer("/state")
            .into());
    }
    let mut desks = vec![actor.actor.clone()];
    // Those who named it are told when it begins or ends that nothing new is handed to it, or will.
    let turns =
        state.holds_back(actor.kind) || actor.state.holds_back(actor.kind) || actor.next.is_some();
    let named = if turns && actor.kind == ActorKind::Party {
        actors::named_by(batch.conn, ctx, &actor.actor).await?
    } else {
        BTreeMap::new()
    };
    desks.extend(named.keys().cloned());
    let stored = apply::store(batch, incoming, &desks).await?;
    let ahead = from.filter(|from| *from > batch.at);
    let new = NewStanding {
        state,
        from: from.unwrap_or(batch.at),
        due: ahead.map(|_| incoming.prepared.common.jti),
        name: &claims.name,
        pos: stored.pos,
    };
    actors::set_standing(batch.conn, ctx, &actor.actor, &new).await?;
    match ahead {
        Some(at) => {
            let falls = Falls {
                what: Due::Standing,
                about: incoming.prepared.common.jti,
                rev: 0,
                party: Some(actor.actor.clone()),
                at,
                begins: None,
            };
            due::schedule(batch, &[falls]).await?;
        }
        None if state.holds_back(actor.kind) => batch.held_back.push(actor.actor),
        None => {}
    }
    Ok(stored)
}

/// The actor that is meant, as it enrolled, and where it is to stand.
async fn known(
    batch: &mut Batch<'_>,
    incoming: &Incoming<'_>,
    claims: &AdmitClaims,
) -> Result<(ActorRow, ActorState), Fault> {
    let actor = actors::get(batch.conn, &incoming.prepared.common.ctx, &claims.actor).await?;
    let actor = actor.ok_or_else(|| {
        Problem::new(ProblemKind::NotFound)
            .detail("no such organisation or party")
            .pointer("/actor")
    })?;
    if actor.actor == *incoming.prepared.actor() {
        return Err(Problem::new(ProblemKind::NotAllowed)
            .detail("nobody admits itself")
            .pointer("/actor")
            .into());
    }
    let unenrolled = |why: Refusal| {
        let problem = refusal(why).pointer("/actor");
        if why == Refusal::Left {
            return problem;
        }
        problem.detail("no device of it has enrolled yet")
    };
    let event = match claims.state {
        Admission::Admitted => ActorEvent::Admit,
        Admission::Suspended => ActorEvent::Suspend,
        Admission::Left => ActorEvent::Leave,
    };
    let state = ACTOR.next(Some(actor.state), event).map_err(unenrolled)?.to;
    let Some(root) = &actor.root else {
        return Err(unenrolled(Refusal::StateForbids).into());
    };
    if actor.kind != claims.kind {
        return Err(Problem::new(ProblemKind::InvalidMember)
            .detail("it enrolled as something else")
            .pointer("/kind")
            .into());
    }
    if root_kid(root)? != claims.root {
        return Err(Problem::new(ProblemKind::DigestMismatch)
            .detail("the fingerprint is not that of the root that enrolled")
            .action("Compare it again with the organisation, by voice. If it differs, somebody else may have used the invite.")
            .pointer("/root")
            .into());
    }
    Ok((actor, state))
}

/// The moment that is named, if one is: not past, and not with an admission, which counts at once.
fn moment(now: OffsetDateTime, claims: &AdmitClaims) -> Result<Option<OffsetDateTime>, Problem> {
    let Some(from) = claims.from else {
        return Ok(None);
    };
    let refuse = |kind, detail: &str| Err(Problem::new(kind).detail(detail).pointer("/from"));
    if claims.state == Admission::Admitted {
        return refuse(ProblemKind::InvalidMember, "an admission counts at once");
    }
    if from < now.unix_timestamp() {
        return refuse(
            ProblemKind::PastMoment,
            "from when it counts lies before now, by the server's clock",
        );
    }
    if from > now.unix_timestamp() + MOST_AHEAD_S {
        return refuse(ProblemKind::InvalidMember, "at most a year ahead");
    }
    Ok(Some(from_micros(from.saturating_mul(1_000_000))))
}

/// Why nothing follows in an actor's state. A party that has left does not come back under its old name: what its old root
/// signed stays what it was.
pub(super) fn refusal(why: Refusal) -> Problem {
    if why != Refusal::Left {
        return why.into();
    }
    Problem::new(ProblemKind::Left).action(
        "Invite it under another short name; it enrols anew, with a root of its own. What it was told and said before stays provable under the old one.",
    )
}

/// The moment of a row of the schedule has come: those who have named the party are told, and its sockets end. Nothing
/// happens when a later admission has taken its place.
pub(super) async fn fell_due(batch: &mut Batch<'_>, row: &DueRow) -> Result<(), Fault> {
    let Some(party) = &row.party else {
        return Ok(());
    };
    let Some((state, since)) = settle(batch, row).await? else {
        return Ok(());
    };
    let event = match state {
        ActorState::Suspended => AlertEvent::PartySuspended,
        ActorState::Left => AlertEvent::PartyLeft,
        ActorState::Invited | ActorState::Enrolled | ActorState::Admitted => return Ok(()),
    };
    let Some(row) = actors::get(batch.conn, &row.ctx, party).await? else {
        return Ok(());
    };
    if row.kind != ActorKind::Party {
        return Ok(());
    }
    batch.held_back.push(party.clone());
    let ctx = batch.ctx();
    for (organisation, items) in actors::named_by(batch.conn, ctx, party).await? {
        let desks = super::fire::desks(batch, &organisation, None).await?;
        for items in items.chunks(ITEMS) {
            let said = Said {
                event,
                organisation: &organisation,
                party,
                since,
            };
            say(batch, &said, items.to_vec(), &desks).await?;
        }
    }
    Ok(())
}

/// Writes down that the moment of a row has come, and where its party stands since; none when a later admission has taken
/// its place.
pub(super) async fn settle(
    batch: &mut Batch<'_>,
    row: &DueRow,
) -> Result<Option<(ActorState, OffsetDateTime)>, Fault> {
    let Some(party) = &row.party else {
        return Ok(None);
    };
    let settled = actors::settle_standing(batch.conn, &row.ctx, party, row.about).await?;
    if settled.is_some() {
        batch.standing = super::standing::Standing::default();
    }
    Ok(settled)
}

/// Who is told by an alert that a party is suspended or has left, when it is taken again and the party stands so; none for
/// other alerts.
///
/// # Errors
/// When the party does not stand so.
pub(super) async fn cause(
    batch: &mut Batch<'_>,
    detail: &AlertDetail,
) -> Result<Option<Vec<ActorId>>, Fault> {
    let state = match detail.event {
        AlertEvent::PartySuspended => ActorState::Suspended,
        AlertEvent::PartyLeft => ActorState::Left,
        _ => return Ok(None),
    };
    let Some(party) = &detail.party else {
        return Err(internal("an alert on the standing of nobody").into());
    };
    let ctx = batch.ctx();
    let row = actors::get(batch.conn, ctx, party).await?;
    if row.is_none_or(|row| row.state != state) {
        return Err(internal("an alert without its cause in an admission").into());
    }
    super::fire::desks(batch, &detail.organisation, None)
        .await
        .map(Some)
}

struct Said<'a> {
    event: AlertEvent,
    organisation: &'a ActorId,
    party: &'a ActorId,
    since: OffsetDateTime,
}

async fn say(
    batch: &mut Batch<'_>,
    said: &Said<'_>,
    items: Vec<About>,
    desks: &[ActorId],
) -> Result<(), Fault> {
    let detail = AlertDetail {
        event: said.event,
        organisation: said.organisation.clone(),
        party: Some(said.party.clone()),
        items,
        lead_percent: None,
        due: said.since,
        step: None,
        transcribed: None,
        month: None,
        says: STANDING_SENTENCE.to_owned(),
    };
    let claims = AlertClaims::new(batch.common());
    own::say(batch, claims, &detail, desks).await?;
    Ok(())
}

/// Why an actor that stands here may not say this: with the number to call.
pub(super) async fn refused(batch: &mut Batch<'_>, state: ActorState) -> Result<Problem, Fault> {
    let number = actors::coordinator_number(batch.conn, batch.ctx()).await?;
    Ok(held_back::problem(state, number.as_deref()))
}
