//! Writing the schedule: what a statement gives rise to in time, with the moment sealed. What then happens is in
//! [`super::fire`].

use time::OffsetDateTime;
use uuid::Uuid;

use super::batch::{Batch, Fault};
use super::window;
use crate::domain::clock::{from_micros, micros};
use crate::domain::due::{self, Due};
use crate::domain::ids::{ActorId, Nid, Revision};
use crate::domain::notification::{Subject, Tier};
use crate::service::core::{Core, internal, keyring};
use crate::service::records::Record;
use crate::store::due::{self as store, DueRow, NewDue};
use crate::wire::parts::Audience;
use crate::wire::policy::Policy;
use crate::wire::problem::Problem;

/// Something that will fall due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Falls {
    /// What.
    pub what: Due,
    /// The notification, or the distress call.
    pub about: Uuid,
    /// The revision, or the step.
    pub rev: u32,
    /// The party that it concerns, if one.
    pub party: Option<ActorId>,
    /// When.
    pub at: OffsetDateTime,
    /// When the window begins, of what counts acknowledgements; from when the days are counted, of a closing.
    pub begins: Option<OffsetDateTime>,
}

/// The sealed moments of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::service) struct Moments {
    /// When it falls due.
    pub at: OffsetDateTime,
    /// When the window begins, of what counts acknowledgements; from when the days are counted, of a closing.
    pub begins: Option<OffsetDateTime>,
}

/// Writes what will fall due into the schedule.
pub(super) async fn schedule(batch: &mut Batch<'_>, falls: &[Falls]) -> Result<(), Fault> {
    let rows = falls
        .iter()
        .map(|one| seal(batch.core, one))
        .collect::<Result<Vec<_>, _>>()?;
    store::insert(batch.conn, batch.ctx(), &rows).await?;
    Ok(())
}

/// A row of the schedule, its moments sealed.
pub(super) fn seal(core: &Core, falls: &Falls) -> Result<NewDue, Problem> {
    let month = core.month()?;
    let party = falls.party.as_ref().map_or("", ActorId::as_str);
    let at = Record::due(
        &core.deployment.node.actor,
        &falls.about,
        falls.rev,
        falls.what.as_str(),
        party,
    );
    let begins = falls.begins.map_or(i64::MIN, micros);
    let moments = [micros(falls.at).to_be_bytes(), begins.to_be_bytes()].concat();
    Ok(NewDue {
        day: store::day(falls.at),
        what: falls.what,
        about: falls.about,
        rev: falls.rev,
        party: falls.party.clone(),
        month,
        content: core.seal_record(&at.at(), month, &moments)?,
    })
}

/// The moments of a row.
pub(in crate::service) fn moments(core: &Core, row: &DueRow) -> Result<Moments, Problem> {
    let party = row.party.as_ref().map_or("", ActorId::as_str);
    let at = Record::due(
        &core.deployment.node.actor,
        &row.about,
        row.rev,
        row.what.as_str(),
        party,
    );
    let opened = core
        .keyring
        .open_record(&at.at(), &row.content)
        .map_err(|error| keyring(&error))?;
    let broken = || internal("a moment of the schedule is broken");
    let (at, begins) = opened.split_at_checked(8).ok_or_else(broken)?;
    let read = |bytes: &[u8]| Some(i64::from_be_bytes(bytes.try_into().ok()?));
    let (at, begins) = (
        read(at).ok_or_else(broken)?,
        read(begins).ok_or_else(broken)?,
    );
    Ok(Moments {
        at: from_micros(at),
        begins: (begins != i64::MIN).then(|| from_micros(begins)),
    })
}

/// What a new revision gives rise to: the stages of the lead time for each party that it is for, the latest arrival of a
/// movement, the next word on a site and the end of its window.
pub(super) struct Rising<'a> {
    /// The notification.
    pub nid: Nid,
    /// The revision.
    pub rev: Revision,
    /// A site, or a movement.
    pub subject: Subject,
    /// The parties that it names.
    pub audiences: &'a [Audience],
    /// When its window begins.
    pub begins: Option<OffsetDateTime>,
    /// When a movement has arrived at the latest, or a site's window ends.
    pub ends: Option<OffsetDateTime>,
    /// When it was received.
    pub at: OffsetDateTime,
}

impl Rising<'_> {
    /// All of it.
    pub fn falls(&self, policy: &Policy) -> Vec<Falls> {
        let (about, rev) = (self.nid.uuid(), self.rev.get());
        let falls = |what, party: Option<&ActorId>, at| Falls {
            what,
            about,
            rev,
            party: party.cloned(),
            at,
            begins: self.begins,
        };
        let mut out = Vec::new();
        let first = self
            .begins
            .and_then(|begins| due::lead_moment(Due::AckQuarter, self.at, begins));
        if let Some(first) = first {
            let told = self.audiences.iter().filter(|a| a.tier != Tier::Withdrawn);
            out.extend(told.map(|a| falls(Due::AckQuarter, Some(&a.party), first)));
        }
        match self.subject {
            Subject::Movement => {
                out.extend(self.ends.map(|ends| falls(Due::SignOfLife, None, ends)));
            }
            Subject::Site => {
                out.extend(reconfirm(self.nid, self.rev, self.at, policy));
                let window = self.ends.map(|ends| (self.at, ends));
                let window =
                    window.map(|window| window::falls((self.nid, self.rev), window, policy));
                out.extend(window.into_iter().flatten());
            }
        }
        out
    }
}

/// The next word that is asked for on a site after one at `from`. Where the policy asks for none now, what it asks for then
/// is looked at.
pub(super) fn reconfirm(
    nid: Nid,
    rev: Revision,
    from: OffsetDateTime,
    policy: &Policy,
) -> Option<Falls> {
    let days = match policy.reconfirm_days {
        0 => due::RECONFIRM_DAYS,
        days => days,
    };
    let (remind, _) = due::reconfirm_moments(from, days)?;
    Some(Falls {
        what: Due::Reconfirm,
        about: nid.uuid(),
        rev: rev.get(),
        party: None,
        at: remind,
        begins: None,
    })
}
