//! Sites are confirmed again: the organisation says every so often that a site stands as it was notified. One that was not
//! confirmed in time stays in every list and check, flagged as stale.

use super::apply::{self, Incoming, Stored};
use super::batch::{Batch, Fault};
use super::due::{self, Falls, Moments};
use super::fire::{self, Brings, Fell, Said};
use super::notification::{own_revision, told};
use super::window;
use crate::domain::due::{Due, WordOnSite, word_on_site};
use crate::domain::ids::Nid;
use crate::domain::kind::Kind;
use crate::domain::machine::{RevisionEvent, SITE, SiteEvent, SiteState};
use crate::store;
use crate::store::due::DueRow;
use crate::store::notifications;
use crate::wire::claims::ConfirmClaims;
use crate::wire::policy::Policy;
use crate::wire::problem::{Problem, ProblemKind};

/// Takes an organisation's word that a site stands as notified.
pub(super) async fn take(
    batch: &mut Batch<'_>,
    incoming: &Incoming<'_>,
    claims: &ConfirmClaims,
) -> Result<Stored, Fault> {
    let revision = own_revision(
        batch,
        incoming,
        (claims.nid, claims.rev, claims.of),
        RevisionEvent::Confirm,
    )
    .await?;
    if revision.kind != Kind::Site {
        return Err(Problem::new(ProblemKind::StateForbids)
            .detail("sites are confirmed; of a movement say how far it is")
            .into());
    }
    check_window(batch, claims.nid).await?;
    let mut desks = fire::desks(batch, &revision.org, None).await?;
    desks.extend(told(batch, claims.nid).await?);
    let stored = apply::store(batch, incoming, &desks).await?;
    notifications::set_confirmed(batch.conn, claims.nid, batch.at).await?;
    for what in [Due::Reconfirm, Due::Stale] {
        store::due::forget(batch.conn, claims.nid.uuid(), what).await?;
    }
    let next = due::reconfirm(claims.nid, claims.rev, batch.at, &incoming.policy);
    due::schedule(batch, next.as_slice()).await?;
    Ok(stored)
}

/// A site whose window has ended is not notified for now: a word that it stands would say nothing of now.
async fn check_window(batch: &mut Batch<'_>, nid: Nid) -> Result<(), Fault> {
    let ends = window::ends(batch, nid).await?;
    let standing = match ends {
        Some(ends) if ends <= batch.at => SiteState::WindowEnded,
        _ => SiteState::Confirmed,
    };
    SITE.next(Some(standing), SiteEvent::Confirm)?;
    Ok(())
}

/// Sites whose schedule is written anew at once.
const SITES: u32 = 5_000;

/// The policy asks for a word on each site sooner than it did: what was scheduled would come too late, and is written anew.
/// What has fallen due by that is said at the next look at the schedule.
pub(super) async fn ask_sooner(batch: &mut Batch<'_>, policy: &Policy) -> Result<(), Fault> {
    let ctx = batch.ctx();
    for what in [Due::Reconfirm, Due::Stale] {
        store::due::forget_all(batch.conn, ctx, what).await?;
    }
    let mut after = None;
    loop {
        let sites = notifications::current_sites(batch.conn, ctx, after, SITES).await?;
        let Some((last, ..)) = sites.last() else {
            return Ok(());
        };
        after = Some(*last);
        let sooner = sites.iter();
        let sooner =
            sooner.filter_map(|(nid, rev, said)| due::reconfirm(*nid, *rev, *said, policy));
        due::schedule(batch, &sooner.collect::<Vec<_>>()).await?;
    }
}

/// The time for a word on a site has come, or has passed, by the policy of now. The organisation is told each time, of all
/// its sites together.
pub(super) async fn fell_due(
    batch: &mut Batch<'_>,
    row: &DueRow,
    moments: Moments,
    policy: &Policy,
) -> Result<Option<Fell>, Fault> {
    let Some((revision, item)) = fire::still_current(batch, row).await? else {
        return Ok(None);
    };
    // From the end of its window on nobody is asked whether it stands as notified.
    let ends = window::ends(batch, item.nid).await?;
    if ends.is_some_and(|ends| ends <= moments.at) {
        return Ok(None);
    }
    let confirmed_at = revision.confirmed_at;
    let said_at = confirmed_at.map_or(revision.at, |at| at.max(revision.at));
    let judged = word_on_site(row.what, moments.at, said_at, policy.reconfirm_days);
    let falls = |what, at| Falls {
        what,
        about: row.about,
        rev: row.rev,
        party: None,
        at,
        begins: None,
    };
    let (event, next) = match judged {
        None => return Ok(None),
        Some(WordOnSite::Later(what, at)) => return Ok(Some(Fell::Later(falls(what, at)))),
        Some(WordOnSite::Remind(at)) => (SiteEvent::ReminderComes, falls(Due::Stale, at)),
        Some(WordOnSite::Stale(at)) => (SiteEvent::TimePasses, falls(Due::Stale, at)),
    };
    let standing = match row.what {
        Due::Stale => SiteState::Reminded,
        _ => SiteState::Confirmed,
    };
    let Some(event) = SITE.says(standing, event) else {
        return Ok(None);
    };
    Ok(Some(Fell::Says(Box::new(Brings {
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
        also: Vec::new(),
        item,
        next: Some(next),
        does: None,
    }))))
}
