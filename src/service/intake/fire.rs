//! What time has brought: rows of the schedule whose moment has come are judged in one transaction under the head's lock,
//! said in signed statements of the server, and taken away. A row is gone exactly when what it brought is said, whatever
//! is killed in between, and however many nodes look.

use std::collections::BTreeMap;

use time::OffsetDateTime;

use super::batch::{Batch, Fault};
use super::due::{self, Falls, Moments};
use super::own;
use super::{Wake, admission, confirm, distress, progress, thread, window};
use crate::crypto::digest::Digest;
use crate::domain::due::{self as rules, Due};
use crate::domain::exchange::AlertEvent;
use crate::domain::ids::{ActorId, ContextId, Nid, Revision};
use crate::domain::notification::{NotificationState, Tier};
use crate::service::core::{ContextKeys, Core, store as failed};
use crate::store::actors;
use crate::store::due::{self as store, DueRow};
use crate::store::notifications::{self, RevisionRow};
use crate::wire::claims::{About, AlertClaims};
use crate::wire::parts::AlertDetail;
use crate::wire::policy::Policy;
use crate::wire::problem::Problem;

/// Items of one alert.
const ITEMS: usize = 1_000;

/// What a row of the schedule brings.
pub(super) struct Brings {
    /// What is said, and of whom; rows that differ in nothing but the notification are said together.
    pub said: Said,
    /// What is said of it besides, to others.
    pub also: Vec<Said>,
    /// The notification, or the call.
    pub item: About,
    /// What comes next, while nothing is said.
    pub next: Option<Falls>,
    /// What it does, beside being said.
    pub does: Option<Does>,
}

/// What time does to a notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Does {
    /// It is closed.
    Close(Nid),
}

/// What becomes of a row whose moment has come.
pub(super) enum Fell {
    /// It brings something.
    Says(Box<Brings>),
    /// Nothing is said; by what holds now, its moment comes later.
    Later(Falls),
    /// Something else comes first: it is looked at again at once.
    Waits,
}

/// What is said.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Said {
    /// What time has brought.
    pub event: AlertEvent,
    /// The organisation concerned.
    pub organisation: ActorId,
    /// The party concerned, if one.
    pub party: Option<ActorId>,
    /// The part of the lead time that has passed, in percent.
    pub lead_percent: Option<u8>,
    /// The moment.
    pub due: OffsetDateTime,
    /// How many steps up the contacts this is.
    pub step: Option<u32>,
    /// The acknowledgement that was transcribed from the party's letter, if there is one.
    pub transcribed: Option<Digest>,
    /// Who is told.
    pub desks: Vec<ActorId>,
}

/// Judges these rows of one context in the order of their moments, says what they bring, and takes them away. Rows that
/// another node took, whose moment has not come by the database's clock, or that are another context's, are left alone.
/// Gives those that wait for another to come first.
///
/// # Errors
/// The database's, or the keyring's; nothing has happened then.
pub(in crate::service) async fn fire(
    core: &Core,
    ctx: &ContextId,
    wake: &Wake,
    ids: &[i64],
) -> Result<Vec<i64>, Problem> {
    match in_transaction(core, core.context(ctx)?, wake, ids).await {
        Ok(waiting) => Ok(waiting),
        Err(Fault::Refused(problem)) => Err(problem),
        Err(Fault::Store(error)) => Err(failed(&error)),
    }
}

async fn in_transaction(
    core: &Core,
    context: &ContextKeys,
    wake: &Wake,
    ids: &[i64],
) -> Result<Vec<i64>, Fault> {
    let mut tx = core
        .pools
        .intake
        .begin()
        .await
        .map_err(|e| Fault::Store(e.into()))?;
    let mut batch = Batch::begin(core, context, &mut tx).await?;
    let policy = batch.standing.policy(batch.conn, &context.id).await?;
    let (mut done, mut next, mut waiting) = (Vec::new(), Vec::new(), Vec::new());
    let mut said: BTreeMap<Said, Vec<About>> = BTreeMap::new();
    for (moments, row) in fallen(&mut batch, ids).await? {
        if row.what == Due::Standing {
            admission::fell_due(&mut batch, &row).await?;
            done.push(row.id);
            continue;
        }
        let fell = judge(&mut batch, &row, moments, &policy).await?;
        if matches!(fell, Some(Fell::Waits)) {
            waiting.push(row.id);
            continue;
        }
        // Nobody else looks before the end: what is judged after this finds what it did.
        done.push(row.id);
        match fell {
            None | Some(Fell::Waits) => {}
            Some(Fell::Later(falls)) => next.push(falls),
            Some(Fell::Says(brings)) => {
                if let Some(Does::Close(nid)) = brings.does {
                    window::close(&mut batch, nid).await?;
                }
                for one in brings.also.into_iter().chain([brings.said]) {
                    said.entry(one).or_default().push(brings.item);
                }
                next.extend(brings.next);
            }
        }
    }
    // First away, then anew: what follows may stand where its forerunner stood.
    store::remove(batch.conn, &done).await?;
    due::schedule(&mut batch, &next).await?;
    for (said, items) in said {
        for items in items.chunks(ITEMS) {
            say(&mut batch, &said, items.to_vec()).await?;
        }
    }
    let committed = batch.finish().await?;
    tx.commit().await.map_err(|e| Fault::Store(e.into()))?;
    wake(&committed);
    Ok(waiting)
}

/// Those of these rows whose moment has come, in the order in which they came.
async fn fallen(batch: &mut Batch<'_>, ids: &[i64]) -> Result<Vec<(Moments, DueRow)>, Fault> {
    let mut fallen = Vec::new();
    for row in store::still_there(batch.conn, batch.ctx(), ids).await? {
        let moments = due::moments(batch.core, &row)?;
        if moments.at <= batch.at {
            fallen.push((moments, row));
        }
    }
    fallen.sort_by_key(|(moments, row)| (moments.at, row.id));
    Ok(fallen)
}

pub(super) async fn judge(
    batch: &mut Batch<'_>,
    row: &DueRow,
    moments: Moments,
    policy: &Policy,
) -> Result<Option<Fell>, Fault> {
    let brings = match row.what {
        Due::AckQuarter | Due::AckHalf | Due::AckThreeQuarters | Due::AckStart => {
            acknowledgement(batch, row, moments).await?
        }
        Due::SignOfLife => progress::silent(batch, row, moments).await?,
        Due::Reconfirm | Due::Stale => {
            return confirm::fell_due(batch, row, moments, policy).await;
        }
        Due::WindowEnding | Due::WindowEnded | Due::Closing => {
            return window::fell_due(batch, row, moments, policy).await;
        }
        Due::Reply => thread::fell_due(batch, row, moments).await?,
        Due::Distress => distress::unanswered(batch, row, moments).await?,
        // Said where it is judged: to each organisation its own.
        Due::Standing => None,
    };
    Ok(brings.map(|brings| Fell::Says(Box::new(brings))))
}

async fn say(batch: &mut Batch<'_>, said: &Said, items: Vec<About>) -> Result<(), Fault> {
    let detail = AlertDetail {
        event: said.event,
        organisation: said.organisation.clone(),
        party: said.party.clone(),
        items,
        lead_percent: said.lead_percent,
        due: said.due,
        step: said.step,
        transcribed: said.transcribed,
        month: None,
        says: said.event.sentence().to_owned(),
    };
    let claims = AlertClaims::new(batch.common());
    let pos = own::say(batch, claims, &detail, &said.desks).await?;
    window::note(batch, &detail, pos).await
}

/// The revision that a row is about, while it is the latest of a current notification.
pub(super) async fn still_current(
    batch: &mut Batch<'_>,
    row: &DueRow,
) -> Result<Option<(RevisionRow, About)>, Fault> {
    let nid = Nid::from_uuid(row.about);
    let Ok(rev) = Revision::new(row.rev) else {
        return Ok(None);
    };
    let revision = notifications::revision(batch.conn, batch.ctx(), nid, rev).await?;
    Ok(revision
        .filter(|r| r.latest == rev && r.state == NotificationState::Current)
        .map(|r| {
            let about = About {
                nid,
                rev,
                of: r.hash,
            };
            (r, about)
        }))
}

/// The organisation and the coordinator, and the party if it is told too.
pub(super) async fn desks(
    batch: &mut Batch<'_>,
    org: &ActorId,
    party: Option<&ActorId>,
) -> Result<Vec<ActorId>, Fault> {
    let mut desks = vec![org.clone()];
    desks.extend(actors::coordinators(batch.conn, batch.ctx()).await?);
    desks.extend(party.cloned());
    desks.sort_unstable();
    desks.dedup();
    Ok(desks)
}

/// A stage of the lead time has passed: whether the party's officers have said anything on the revision.
async fn acknowledgement(
    batch: &mut Batch<'_>,
    row: &DueRow,
    moments: Moments,
) -> Result<Option<Brings>, Fault> {
    let (Some(party), Some((revision, item))) = (&row.party, still_current(batch, row).await?)
    else {
        return Ok(None);
    };
    let chosen = notifications::parties(batch.conn, item.nid).await?;
    let told = chosen
        .iter()
        .any(|(one, tier)| one == party && *tier != Tier::Withdrawn);
    if !told || notifications::officer_spoke(batch.conn, item.nid, item.rev, party).await? {
        return Ok(None);
    }
    let falls = |what| {
        let begins = moments.begins?;
        Some(Falls {
            what,
            about: row.about,
            rev: row.rev,
            party: Some(party.clone()),
            at: rules::lead_moment(what, revision.at, begins)?,
            begins: Some(begins),
        })
    };
    let transcribed = notifications::transcribed(batch.conn, item.nid, item.rev, party).await?;
    if transcribed.is_some() && row.what != Due::AckStart {
        // A letter came: nobody is reminded any more. At the start it is still said that nothing was signed.
        due::schedule(batch, falls(Due::AckStart).as_slice()).await?;
        return Ok(None);
    }
    let next = row.what.next().and_then(falls);
    let event = if row.what == Due::AckStart {
        AlertEvent::NoAcknowledgement
    } else {
        AlertEvent::AcknowledgementOverdue
    };
    Ok(Some(Brings {
        said: Said {
            event,
            desks: desks(batch, &revision.org, Some(party)).await?,
            organisation: revision.org,
            party: Some(party.clone()),
            lead_percent: row.what.lead_percent(),
            due: moments.at,
            step: None,
            transcribed,
        },
        also: Vec::new(),
        item,
        next,
        does: None,
    }))
}
