//! The notified windows of sites end: the organisation is told before, everybody who is told of it then, and some time after
//! it the site is closed. A movement has no such end: it counts until its organisation says that it has arrived.
//!
//! When a window ends stands sealed in the schedule, in the row of the closing, from the receipt of the revision on: so it is
//! known also when its place was destroyed with its month.

use time::OffsetDateTime;

use super::batch::{Batch, Fault};
use super::due::{self, Falls, Moments};
use super::fire::{self, Brings, Does, Fell, Said};
use super::notification::told;
use crate::domain::due::{self as rules, Due};
use crate::domain::exchange::AlertEvent;
use crate::domain::ids::{ActorId, LogPosition, Nid, Revision};
use crate::domain::machine::{NOTIFICATION, NotificationEvent, SITE, SiteEvent, SiteState};
use crate::domain::notification::{NotificationState, Tier};
use crate::service::core::internal;
use crate::store::due::{self as schedule, DueRow};
use crate::store::{closing, notifications};
use crate::wire::claims::About;
use crate::wire::parts::AlertDetail;
use crate::wire::policy::Policy;

/// What the window of a site's new revision gives rise to.
pub(super) fn falls(
    (nid, rev): (Nid, Revision),
    (at, ends): (OffsetDateTime, OffsetDateTime),
    policy: &Policy,
) -> Vec<Falls> {
    let falls = |what, at, begins| Falls {
        what,
        about: nid.uuid(),
        rev: rev.get(),
        party: None,
        at,
        begins,
    };
    let mut out = Vec::new();
    if let Some(ending) = rules::window_ending(at, ends) {
        out.push(falls(Due::WindowEnding, ending, None));
        out.push(falls(Due::WindowEnded, ends, None));
    }
    let from = rules::closing_counts_from(at, ends);
    let closes = rules::closes_at(from, policy.close_days);
    out.push(falls(Due::Closing, closes, Some(from)));
    out
}

/// From when the window of a site's latest revision has ended, or will have; none of one that is open. Of a revision that
/// came after its window: from its receipt.
pub(super) async fn ends(batch: &mut Batch<'_>, nid: Nid) -> Result<Option<OffsetDateTime>, Fault> {
    let rows = schedule::about(batch.conn, batch.ctx(), nid.uuid()).await?;
    let Some(row) = rows.iter().find(|row| row.what == Due::Closing) else {
        return Ok(None);
    };
    Ok(due::moments(batch.core, row)?.begins)
}

/// A moment of a site's window has come.
pub(super) async fn fell_due(
    batch: &mut Batch<'_>,
    row: &DueRow,
    moments: Moments,
    policy: &Policy,
) -> Result<Option<Fell>, Fault> {
    let Some((revision, item)) = fire::still_current(batch, row).await? else {
        return Ok(None);
    };
    if row.what == Due::Closing {
        if earlier_wait(batch, row, moments.at).await? {
            return Ok(Some(Fell::Waits));
        }
        if let Some(falls) = put_off(batch, row, moments, policy).await? {
            return Ok(Some(Fell::Later(falls)));
        }
    }
    let (event, does) = match row.what {
        Due::WindowEnding => (SITE.says(SiteState::Confirmed, SiteEvent::EndIsNear), None),
        Due::WindowEnded => (SITE.says(SiteState::Confirmed, SiteEvent::WindowEnds), None),
        _ => (
            SITE.says(SiteState::WindowEnded, SiteEvent::ClosingTime),
            Some(Does::Close(item.nid)),
        ),
    };
    let Some(event) = event else {
        return Ok(None);
    };
    let said = |party: Option<ActorId>, desks| Said {
        event,
        organisation: revision.org.clone(),
        party,
        lead_percent: None,
        due: moments.at,
        step: None,
        transcribed: None,
        desks,
    };
    // Each party is told by itself: what another is told of beside it is not its business.
    let parties = parties_told(batch, event, item).await?.into_iter();
    let also = parties.map(|party| said(Some(party.clone()), vec![party]));
    let also = also.collect();
    let desks = fire::desks(batch, &revision.org, None).await?;
    Ok(Some(Fell::Says(Box::new(Brings {
        said: said(None, desks),
        also,
        item,
        next: None,
        does,
    }))))
}

/// The parties that are told: of the end of a window those that are told of this revision, of a closing all that are told of
/// the notification.
async fn parties_told(
    batch: &mut Batch<'_>,
    event: AlertEvent,
    item: About,
) -> Result<Vec<ActorId>, Fault> {
    match event {
        AlertEvent::WindowEnded => {
            let of = notifications::chosen(batch.conn, item.nid, item.rev).await?;
            let told = of.into_iter().filter(|(_, tier)| *tier != Tier::Withdrawn);
            Ok(told.map(|(party, _)| party).collect())
        }
        AlertEvent::ClosedByTime => told(batch, item.nid).await,
        _ => Ok(Vec::new()),
    }
}

/// Whether anything about the same notification fell due before and is still to be said: a closing must not silence it.
async fn earlier_wait(
    batch: &mut Batch<'_>,
    closing: &DueRow,
    moment: OffsetDateTime,
) -> Result<bool, Fault> {
    let rows = schedule::about(batch.conn, batch.ctx(), closing.about).await?;
    // One that does not open must not hold this one back for ever.
    Ok(rows
        .iter()
        .filter(|row| row.id != closing.id)
        .filter_map(|row| due::moments(batch.core, row).ok())
        .any(|moments| moments.at < moment))
}

/// When a closing is looked at again, if it does not happen now.
async fn put_off(
    batch: &mut Batch<'_>,
    row: &DueRow,
    moments: Moments,
    policy: &Policy,
) -> Result<Option<Falls>, Fault> {
    let (nid, rev) = named(row)?;
    let from = moments.begins.unwrap_or(moments.at);
    let held = closing::is_held(batch.conn, nid, rev, moments.at).await?;
    let again = rules::closing_put_off(moments.at, from, policy.close_days, held);
    Ok(again.map(|at| Falls {
        what: Due::Closing,
        about: row.about,
        rev: row.rev,
        party: None,
        at,
        begins: Some(from),
    }))
}

fn named(row: &DueRow) -> Result<(Nid, Revision), Fault> {
    let rev = Revision::new(row.rev)
        .map_err(|_| internal("a row of the schedule without its revision"))?;
    Ok((Nid::from_uuid(row.about), rev))
}

/// Closes a site: what is judged after this in the same transaction finds it closed.
pub(super) async fn close(batch: &mut Batch<'_>, nid: Nid) -> Result<(), Fault> {
    let step = NOTIFICATION.next(
        Some(NotificationState::Current),
        NotificationEvent::CloseByTime,
    );
    let closed = step.map_err(|_| internal("a site cannot be closed by time"))?;
    closing::close(batch.conn, nid, closed.to).await?;
    Ok(())
}

/// Notes what a statement that stands at a position said: that windows have ended, or that sites are closed. What parties are
/// told beside it says nothing new.
pub(super) async fn note(
    batch: &mut Batch<'_>,
    detail: &AlertDetail,
    pos: LogPosition,
) -> Result<(), Fault> {
    if detail.party.is_some() {
        return Ok(());
    }
    match detail.event {
        AlertEvent::WindowEnded => {
            let ended: Vec<_> = detail
                .items
                .iter()
                .map(|item| (item.nid, item.rev))
                .collect();
            closing::note_ended(batch.conn, &ended, pos).await?;
        }
        AlertEvent::ClosedByTime => {
            let closed: Vec<_> = detail.items.iter().map(|item| item.nid).collect();
            closing::note_closed(batch.conn, &closed, pos).await?;
        }
        _ => {}
    }
    Ok(())
}

/// Who is told by an alert on a window, when it is taken again and what it says is so: of a closing, after closing it; of
/// what a party is told beside it. None of other alerts, of which the schedule is the cause.
///
/// # Errors
/// When it is not so.
pub(super) async fn cause(
    batch: &mut Batch<'_>,
    detail: &AlertDetail,
    lost: impl Fn(&About) -> bool,
) -> Result<Option<Vec<ActorId>>, Fault> {
    let groundless = || Fault::from(internal("an alert without its cause in a window"));
    let ended = match detail.event {
        AlertEvent::WindowEnded => true,
        AlertEvent::ClosedByTime => false,
        _ => return Ok(None),
    };
    if let Some(party) = &detail.party {
        for item in &detail.items {
            let (window, closed) = closing::known(batch.conn, item.nid, item.rev).await?;
            let told = parties_told(batch, detail.event, *item).await?;
            let said = if ended { window } else { closed };
            if said.is_none() || !told.contains(party) {
                return Err(groundless());
            }
        }
        return Ok(Some(vec![party.clone()]));
    }
    if ended {
        return Ok(None);
    }
    for item in &detail.items {
        let of = notifications::revision(batch.conn, batch.ctx(), item.nid, item.rev).await?;
        let current = of.is_some_and(|r| {
            r.hash == item.of && r.latest == item.rev && r.state == NotificationState::Current
        });
        let over = ends(batch, item.nid)
            .await?
            .is_some_and(|ends| ends < detail.due);
        let held = closing::is_held(batch.conn, item.nid, item.rev, detail.due).await?;
        if !current || held || !(over || lost(item)) {
            return Err(groundless());
        }
        close(batch, item.nid).await?;
        schedule::forget(batch.conn, item.nid.uuid(), Due::Closing).await?;
    }
    fire::desks(batch, &detail.organisation, None)
        .await
        .map(Some)
}

/// What an alert did that nobody can read any more, from what it left: windows that had ended, sites that are closed.
pub(super) async fn done_again(
    batch: &mut Batch<'_>,
    (ended, closed): (&[(Nid, Revision)], &[Nid]),
    pos: LogPosition,
) -> Result<(), Fault> {
    closing::note_ended(batch.conn, ended, pos).await?;
    for nid in closed {
        close(batch, *nid).await?;
        schedule::forget(batch.conn, nid.uuid(), Due::Closing).await?;
    }
    closing::note_closed(batch.conn, closed, pos).await?;
    Ok(())
}
