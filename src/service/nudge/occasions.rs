//! What a statement in a mailbox means to nudges: which occasion it is, and which notifications it is about. Parts are
//! opened only for what their claims do not say, and nothing of them leaves this file but a word.

use serde::de::DeserializeOwned;

use super::super::core::Core;
use super::super::records::Record;
use crate::crypto::disclosure::Disclosure;
use crate::domain::ack::AckState;
use crate::domain::actor::ActorKind;
use crate::domain::exchange::{AlertEvent, Step};
use crate::domain::ids::Nid;
use crate::domain::nudge::Occasion;
use crate::store::Connection;
use crate::store::error::StoreError;
use crate::store::mailbox::{self, StoredRecord};
use crate::store::nudge_plan::Arrival;
use crate::wire::build::SealSlot;
use crate::wire::claims::{AckClaims, Claims, NoticeCode, ScreenResult};
use crate::wire::parts::{AlertDetail, ProgressPart, name};
use crate::wire::read;

/// What an arrival is for nudges. Nobody is nudged for what their own desk said, nor a coordinator to screen where nobody
/// screens. What cannot be read is nothing, and is counted.
pub(super) async fn of(
    core: &Core,
    conn: &mut Connection,
    arrival: &Arrival,
) -> Result<Vec<(Occasion, Vec<Nid>)>, StoreError> {
    let Ok((_, claims)) = read::read(&arrival.jws) else {
        metrics::counter!("herald_nudge_unread_total").increment(1);
        return Ok(Vec::new());
    };
    if claims.common().iss.actor == arrival.actor {
        return Ok(Vec::new());
    }
    let mut occasions = match part(&claims) {
        Some(part) => match opened(core, conn, arrival, &claims, part).await? {
            Some(disclosure) => told(disclosure),
            None => Vec::new(),
        },
        None => said(&claims),
    };
    if arrival.kind == ActorKind::Coordinator && !arrival.screening {
        occasions.retain(|(occasion, _)| {
            !matches!(occasion, Occasion::Notified | Occasion::NotifiedAsEmergency)
        });
    }
    Ok(occasions)
}

/// The part that says what the claims do not.
const fn part(claims: &Claims) -> Option<&'static str> {
    match claims {
        Claims::Alert(_) => Some(name::DETAIL),
        Claims::Progress(_) => Some(name::PROGRESS),
        _ => None,
    }
}

/// What the claims alone say.
fn said(claims: &Claims) -> Vec<(Occasion, Vec<Nid>)> {
    let notified = |emergency: bool| {
        if emergency {
            Occasion::NotifiedAsEmergency
        } else {
            Occasion::Notified
        }
    };
    let (occasion, nid) = match claims {
        Claims::Site(c) => (notified(c.emergency), c.nid),
        Claims::Movement(c) => (notified(c.emergency), c.nid),
        Claims::Withdraw(c) => (Occasion::Ended, c.nid),
        Claims::Close(c) => (Occasion::Ended, c.nid),
        Claims::Screen(c) => match c.result {
            ScreenResult::Returned => (Occasion::Returned, c.nid),
            ScreenResult::Screened => return Vec::new(),
        },
        Claims::Ack(c) => return acknowledged(c),
        Claims::Warn(c) => (Occasion::Warned, c.nid),
        Claims::Reply(c) => (Occasion::Replied, c.nid),
        Claims::Distress(c) => (Occasion::Called, c.nid),
        Claims::Respond(c) => (Occasion::CallAnswered, c.nid),
        Claims::Notice(c) => match c.code {
            NoticeCode::EnteredElsewhere => (Occasion::EnteredElsewhere, c.nid),
        },
        Claims::Keys(_)
        | Claims::Renew(_)
        | Claims::Policy(_)
        | Claims::Admit(_)
        | Claims::Invite(_)
        | Claims::Revoke(_)
        | Claims::Duty(_)
        | Claims::Cosign(_)
        | Claims::Relay(_)
        | Claims::Progress(_)
        | Claims::Confirm(_)
        | Claims::Resolve(_)
        | Claims::Alert(_)
        | Claims::Handover(_)
        | Claims::Check(_)
        | Claims::Receipt(_)
        | Claims::Answer(_) => return Vec::new(),
    };
    vec![(occasion, vec![nid])]
}

fn acknowledged(claims: &AckClaims) -> Vec<(Occasion, Vec<Nid>)> {
    let (mut queried, mut not_entered) = (Vec::new(), Vec::new());
    for item in &claims.items {
        match item.state {
            AckState::Queried => queried.push(item.nid),
            AckState::NotEntered | AckState::Removed => not_entered.push(item.nid),
            AckState::ReachedDesk | AckState::Received | AckState::Entered => {}
        }
    }
    [
        (Occasion::Queried, queried),
        (Occasion::NotEntered, not_entered),
    ]
    .into_iter()
    .filter(|(_, nids)| !nids.is_empty())
    .collect()
}

/// What an opened part says.
enum Opened {
    Alert(AlertDetail),
    Progress(Nid, ProgressPart),
}

fn told(opened: Opened) -> Vec<(Occasion, Vec<Nid>)> {
    match opened {
        Opened::Alert(detail) => {
            let occasion = match detail.event {
                AlertEvent::AcknowledgementOverdue => Occasion::AcknowledgementOverdue,
                AlertEvent::NoAcknowledgement => Occasion::NoAcknowledgement,
                AlertEvent::NoSignOfLife => Occasion::NoSignOfLife,
                AlertEvent::ReconfirmationDue => Occasion::ReconfirmationDue,
                AlertEvent::ReconfirmationOverdue => Occasion::ReconfirmationOverdue,
                AlertEvent::WindowEnding => Occasion::WindowEnding,
                AlertEvent::WindowEnded => Occasion::WindowEnded,
                AlertEvent::ClosedByTime => Occasion::ClosedByTime,
                AlertEvent::ReplyOverdue => Occasion::ReplyOverdue,
                AlertEvent::DistressUnanswered => Occasion::CallUnanswered,
                // There is nothing to be done about a month that is over, and who stands aside is seen in the queue: nobody
                // is woken for either.
                AlertEvent::RetentionEnded | AlertEvent::PartySuspended | AlertEvent::PartyLeft => {
                    return Vec::new();
                }
            };
            let nids = detail.items.iter().map(|item| item.nid).collect();
            vec![(occasion, nids)]
        }
        Opened::Progress(nid, part) => match part.step {
            Step::Delayed => vec![(Occasion::Delayed, vec![nid])],
            Step::Departed | Step::AtWaypoint => Vec::new(),
        },
    }
}

async fn opened(
    core: &Core,
    conn: &mut Connection,
    arrival: &Arrival,
    claims: &Claims,
    part: &str,
) -> Result<Option<Opened>, StoreError> {
    let records = mailbox::attached(conn, &[arrival.pos], &[]).await?;
    let Some(record) = records.iter().find(|record| record.part == part) else {
        return Ok(None);
    };
    let slot = SealSlot::of(claims);
    Ok(match claims {
        Claims::Progress(c) => value(core, record, &slot).map(|part| Opened::Progress(c.nid, part)),
        _ => value(core, record, &slot).map(Opened::Alert),
    })
}

/// Opens a part. None when its month's key was destroyed, or it is not what it must be.
fn value<T: DeserializeOwned>(core: &Core, record: &StoredRecord, slot: &SealSlot) -> Option<T> {
    let at = Record::part(&record.org, slot.id(), slot.rev(), &record.part);
    let opened = core.keyring.open_record(&at.at(), &record.content).ok()?;
    let disclosure = Disclosure::parse_expecting(&opened, &record.sd).ok()?;
    serde_json::from_value(disclosure.into_value()).ok()
}
